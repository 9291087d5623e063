package hpc

import "testing"

func TestDOSScript(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"":                                       false,
		"#!/bin/sh\necho a\n":                    false,
		"#!/bin/sh\r\necho a\r\n":                true,
		"#!/bin/sh\necho a\r\n":                  true,
		"#!/usr/bin/env -S bash -e\necho a\r\n":  true,
		"#!/usr/bin/env python3\r\nprint(1)\r\n": true,
		"#!/usr/bin/env python3\nprint(1)\r\n":   false,
		"echo a\r\n":                             true,
		"echo a":                                 false,
		"printf 'a\rb'\n":                        false,
		"\x7fELF\x00\r\n":                        false,
		"#!/bin/sh\r":                            true,
	} {
		if DOSScript([]byte(text)) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}
