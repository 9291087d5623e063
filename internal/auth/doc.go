// Package auth knows who is calling and keeps what must stay secret: access
// keys, request signatures, replay protection, account passwords and sealing at
// rest. It speaks neither HTTP nor the store: keys come from a KeySource, and a
// refusal says why without a status code.
package auth
