package action

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"ehpc/api"
	"ehpc/internal/store"
)

// change is commit for what the reconcilers have to carry out.
func change[A any](ctx context.Context, s *Service, fn func(ctx context.Context, tx store.Tx) (*A, error)) (*A, error) {
	answer, err := commit(ctx, s, fn)
	if err == nil {
		s.Wake()
	}
	return answer, err
}

// commitAttempts is how often a transaction is tried that others were faster than.
const commitAttempts = 3

// commit runs fn in one transaction, once per client token: a repeated request
// gets the answer of the first and changes nothing. fn runs again when another
// transaction was first, such as that of a request with the same token; that
// one's answer is also the answer to what fn refuses since it was first.
func commit[A any](ctx context.Context, s *Service, fn func(ctx context.Context, tx store.Tx) (*A, error)) (answer *A, err error) {
	for range commitAttempts {
		if answer, err = commitOnce(ctx, s, fn); !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	if err != nil {
		if first, replayErr := replay[A](ctx, s.Store.Read(), CallOf(ctx)); replayErr == nil && first != nil {
			return first, nil
		}
	}
	return answer, err
}

func commitOnce[A any](ctx context.Context, s *Service, fn func(ctx context.Context, tx store.Tx) (*A, error)) (*A, error) {
	call := CallOf(ctx)
	var answer *A
	err := s.Store.Change(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		if answer, err = replay[A](ctx, tx, call); err != nil || answer != nil {
			return err
		}
		if answer, err = fn(ctx, tx); err != nil || call.ClientToken == "" {
			return err
		}
		return remember(ctx, tx, call, answer)
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// replay returns what a request with this token was answered; nil if it is new.
func replay[A any](ctx context.Context, tx store.Tx, call Call) (*A, error) {
	if call.ClientToken == "" {
		return nil, nil
	}
	old, err := tx.ClientToken(ctx, call.AccessKey, call.ClientToken)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if old.Action != call.Action || old.ParamsHash != call.ParamsHash {
		return nil, api.IdempotentParameterMismatch.Errorf("the client token %q was used before, for %s with other parameters", call.ClientToken, old.Action)
	}
	answer := new(A)
	return answer, json.Unmarshal([]byte(old.Answer), answer)
}

func remember(ctx context.Context, tx store.Tx, call Call, answer any) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return tx.InsertClientToken(ctx, &store.ClientToken{AccessKey: call.AccessKey, Token: call.ClientToken,
		Action: call.Action, ParamsHash: call.ParamsHash, Answer: string(text), Created: time.Now()})
}
