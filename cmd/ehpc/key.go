package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"ehpc/internal/auth"
	"ehpc/internal/store"
)

// sealerFile holds the key that secrets are sealed with, in the data directory.
const sealerFile = "sealer.key"

// newKeyCommand manages access keys in a data directory, beside a server that
// runs on it or without one.
func newKeyCommand() *cobra.Command {
	var at dataFlags
	var owner, format string
	cmd := &cobra.Command{Use: "key", Short: "Manage access keys, on the service's machine", Args: noArgs, RunE: showHelp}
	at.add(cmd.PersistentFlags())
	addFormat(cmd.PersistentFlags(), &format)
	sub := func(use, short string, args cobra.PositionalArgs, run func(cmd *cobra.Command, s *store.Store, args []string) error) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
			s, _, err := at.attach(cmd.Context())
			if err != nil {
				return err
			}
			return errors.Join(run(cmd, s, args), s.Close())
		}}
		cmd.AddCommand(c)
		return c
	}
	create := sub("create", "Make an access key and print it, once", noArgs, func(cmd *cobra.Command, s *store.Store, _ []string) error {
		return createKey(cmd, s, owner, format)
	})
	create.Flags().StringVar(&owner, "owner", defaultOwner, "who the key belongs to; owners do not see each other's clusters")
	sub("list", "List the access keys, without their secrets", noArgs, func(cmd *cobra.Command, s *store.Store, _ []string) error {
		return listKeys(cmd, s, format)
	})
	sub("enable KEY-ID", "Let a disabled key sign again", argsNamed("KEY-ID"), func(cmd *cobra.Command, s *store.Store, args []string) error {
		return changeKey(cmd.Context(), s, "enable", args[0], func(ctx context.Context, tx store.Tx) error { return tx.EnableKey(ctx, args[0], true) })
	})
	sub("disable KEY-ID", "Refuse a key's signatures from now on", argsNamed("KEY-ID"), func(cmd *cobra.Command, s *store.Store, args []string) error {
		return changeKey(cmd.Context(), s, "disable", args[0], func(ctx context.Context, tx store.Tx) error { return tx.EnableKey(ctx, args[0], false) })
	})
	sub("delete KEY-ID", "Forget a key", argsNamed("KEY-ID"), func(cmd *cobra.Command, s *store.Store, args []string) error {
		return changeKey(cmd.Context(), s, "delete", args[0], func(ctx context.Context, tx store.Tx) error { return tx.DeleteKey(ctx, args[0]) })
	})
	return cmd
}

// defaultOwner is who the first key belongs to.
const defaultOwner = "default"

func createKey(cmd *cobra.Command, s *store.Store, owner, format string) error {
	screen, err := newScreen(cmd, format)
	if err != nil {
		return err
	}
	key, err := makeKey(cmd.Context(), s, owner)
	if err != nil {
		return err
	}
	answer := struct{ AccessKeyId, AccessKeySecret, Owner string }{key.ID, key.Secret, owner}
	return screen.done(answer, key.ID, "%s=%s\n%s=%s", envKeyID, key.ID, envKeySecret, key.Secret)
}

func makeKey(ctx context.Context, s *store.Store, owner string) (auth.Key, error) {
	key := auth.NewKey(owner)
	err := s.Change(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.InsertKey(ctx, store.Key{ID: key.ID, Owner: owner, Secret: key.Secret, Enabled: true, Created: time.Now()})
	})
	if err != nil {
		return key, fmt.Errorf("cannot make an access key: %w", err)
	}
	return key, nil
}

// shownKey is a key as it is listed.
type shownKey struct {
	AccessKeyId, Owner, State string
	Created                   time.Time
}

func listKeys(cmd *cobra.Command, s *store.Store, format string) error {
	screen, err := newScreen(cmd, format)
	if err != nil {
		return err
	}
	keys, err := s.Read().Keys(cmd.Context())
	if err != nil {
		return fmt.Errorf("cannot list the access keys: %w", err)
	}
	all := []shownKey{}
	for _, k := range keys {
		state := "enabled"
		if !k.Enabled {
			state = "disabled"
		}
		all = append(all, shownKey{k.ID, k.Owner, state, k.Created})
	}
	return list(screen, all,
		column[shownKey]{"KEY", func(k shownKey) string { return k.AccessKeyId }},
		column[shownKey]{"OWNER", func(k shownKey) string { return k.Owner }},
		column[shownKey]{"STATE", func(k shownKey) string { return k.State }},
		column[shownKey]{"CREATED", func(k shownKey) string { return tableTime(k.Created) }})
}

func changeKey(ctx context.Context, s *store.Store, verb, id string, change func(context.Context, store.Tx) error) error {
	err := s.Change(ctx, change)
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("cannot %s access key %s: there is none; `ehpc key list` shows those there are", verb, id)
	}
	if err != nil {
		return fmt.Errorf("cannot %s access key %s: %w", verb, id, err)
	}
	return nil
}
