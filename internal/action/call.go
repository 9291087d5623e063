// Package action holds the API's actions: typed functions over the store and
// the links to the nodes, in one table. An action decides and writes rows; what
// takes time is left to the reconcilers.
package action

import "context"

// Call is what the server knows of the request that an action serves.
type Call struct {
	RequestID   string // upper-case UUID
	Action      string // the catalogue's name
	AccessKey   string // id of the key that signed the request
	Owner       string // who the key belongs to
	ClientToken string // "" when none was given
	Terraform   bool   // it comes from Terraform's provider, which cannot read every answer
	ParamsHash  string // with a ClientToken: over the request's own parameters; equal for a repeated request
}

type callKey struct{}

// WithCall puts the call into a request's context.
func WithCall(ctx context.Context, call Call) context.Context {
	return context.WithValue(ctx, callKey{}, call)
}

// CallOf returns the call of a request's context.
func CallOf(ctx context.Context) Call {
	call, _ := ctx.Value(callKey{}).(Call)
	return call
}
