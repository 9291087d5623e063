package api

import (
	_ "embed"
	"slices"
	"strings"
)

//go:embed notbuilt.txt
var notBuilt string

// NotBuilt lists, by name, the actions that answer NotImplemented. The list may
// only shrink.
func NotBuilt() []string { return strings.Fields(notBuilt) }

// Built reports whether the action does its work.
func (a *Action) Built() bool { return !slices.Contains(NotBuilt(), a.Name) }
