package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"strconv"
)

// pageSize is the most that every paged list gives at once.
const pageSize = 50

// Pages walks through the pages of a list, decoding each into a Resp. A list
// that is not paged is one page. The walk ends after an error.
func Pages[Resp any](ctx context.Context, c *Client, action string, params url.Values) iter.Seq2[*Resp, error] {
	return func(yield func(*Resp, error) bool) {
		form := url.Values{"PageSize": {strconv.Itoa(pageSize)}}
		maps.Copy(form, params)
		for page := 1; ; page++ {
			form.Set("PageNumber", strconv.Itoa(page))
			answer, more, err := onePage[Resp](ctx, c, action, form, page)
			if !yield(answer, err) || err != nil || !more {
				return
			}
		}
	}
}

func onePage[Resp any](ctx context.Context, c *Client, action string, form url.Values, page int) (answer *Resp, more bool, err error) {
	raw, err := c.Call(ctx, action, form)
	if err != nil {
		return nil, false, err
	}
	var place struct{ PageSize, TotalCount int }
	answer = new(Resp)
	for _, into := range []any{&place, answer} {
		if err := json.Unmarshal(raw, into); err != nil {
			return nil, false, fmt.Errorf("cannot read the answer to %s: %w", action, err)
		}
	}
	return answer, place.PageSize > 0 && page*place.PageSize < place.TotalCount, nil
}

// All walks through the entries of a paged list, page by page; items takes the
// entries out of an answer.
func All[Resp, Item any](ctx context.Context, c *Client, action string, params url.Values, items func(*Resp) []Item) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for page, err := range Pages[Resp](ctx, c, action, params) {
			if err != nil {
				var none Item
				yield(none, err)
				return
			}
			for _, item := range items(page) {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}
