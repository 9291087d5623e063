// Command gen writes what follows from the catalogue: the request and response
// types, the error codes and the reference pages. It is run by go generate in
// the directory of package api.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"ehpc/api"
)

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run writes every generated file; apiDir is the directory of package api.
func run(apiDir string) error {
	files, err := generate()
	if err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(apiDir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns every generated file under its path from package api.
func generate() (map[string][]byte, error) {
	writers := map[string]func() ([]byte, error){
		"zz_types.go":                   types,
		"zz_codes.go":                   codes,
		"../docs/reference/coverage.md": coverage,
		"../docs/reference/errors.md":   errorTable,
	}
	for _, a := range api.Actions() {
		writers["../docs/reference/actions/"+a.Name+".md"] = func() ([]byte, error) { return page(a) }
	}
	files := make(map[string][]byte)
	for name, write := range writers {
		content, err := write()
		if err != nil {
			return nil, fmt.Errorf("cannot generate %s: %w", name, err)
		}
		files[name] = content
	}
	return files, nil
}
