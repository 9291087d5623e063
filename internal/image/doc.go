// Package image makes and keeps node images: immutable root file systems that
// many machines stand on at once, each below a writable layer of its own. An
// image carries no identity and no keys, and nothing in it changes after it was
// made: a changed recipe makes a new directory beside the old one.
package image
