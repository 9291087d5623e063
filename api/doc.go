// Package api is the public contract: the catalogue of actions as data, the
// request and response types generated from it, the error codes, and the
// translation between them and what travels on the wire.
//
// It knows nothing of how an action is carried out and imports nothing else of
// this module.
package api

//go:generate go run ./gen
