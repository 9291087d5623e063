package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"time"
)

// finish turns what packages made into an image: identity and keys out, our
// own files in. Everything goes through an os.Root, since packages bring links
// that mean another place once they are followed from the host.
func finish(rootfs string, r recipe) error {
	root, err := os.OpenRoot(rootfs)
	if err != nil {
		return err
	}
	defer root.Close()
	return errors.Join(
		remove(root, r.Remove),
		empty(root, r.Empty),
		makeDirs(root, r.Dirs),
		writeFiles(root, r.Files, time.Unix(r.Epoch, 0)),
		makeLinks(root, r.Links),
		relaxLoginUID(root, time.Unix(r.Epoch, 0)),
	)
}

func remove(root *os.Root, patterns []string) error {
	for _, pattern := range patterns {
		names := []string{pattern}
		if strings.ContainsAny(pattern, "*?[") { // a plain name is not looked up: it may be a link to nowhere
			var err error
			if names, err = fs.Glob(root.FS(), pattern); err != nil {
				return fmt.Errorf("cannot remove %s: %w", pattern, err)
			}
		}
		for _, name := range names {
			if err := root.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	return nil
}

func empty(root *os.Root, dirs []string) error {
	for _, dir := range dirs {
		if err := remove(root, []string{dir + "/*", dir + "/.[!.]*"}); err != nil {
			return err
		}
	}
	return nil
}

func makeDirs(root *os.Root, dirs []dir) error {
	for _, d := range dirs {
		if err := root.MkdirAll(d.Path, 0o755); err != nil {
			return err
		}
		if err := root.Chmod(d.Path, fs.FileMode(d.Mode)); err != nil {
			return err
		}
	}
	return nil
}

func writeFiles(root *os.Root, files []file, when time.Time) error {
	for _, f := range files {
		if err := root.MkdirAll(path.Dir(f.Path), 0o755); err != nil {
			return err
		}
		if err := writeFile(root, f.Path, []byte(f.Text), fs.FileMode(f.Mode), when); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(root *os.Root, name string, text []byte, mode fs.FileMode, when time.Time) error {
	if err := root.WriteFile(name, text, mode); err != nil {
		return err
	}
	if err := root.Chmod(name, mode); err != nil { // an umask or an earlier file decided otherwise
		return err
	}
	return root.Chtimes(name, when, when)
}

func makeLinks(root *os.Root, links []link) error {
	for _, l := range links {
		if err := root.Symlink(l.Target, l.Path); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

var loginUID = regexp.MustCompile(`(?m)^(\s*session\s+)required(\s+pam_loginuid\.so)`)

// relaxLoginUID lets people log in where the process that started the nodes
// has a login uid already: the kernel does not let it be set a second time.
func relaxLoginUID(root *os.Root, when time.Time) error {
	names, err := fs.Glob(root.FS(), "etc/pam.d/*")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := root.ReadFile(name)
		if err != nil {
			return err
		}
		if !loginUID.Match(text) {
			continue
		}
		if err := writeFile(root, name, loginUID.ReplaceAll(text, []byte("${1}optional${2}")), 0o644, when); err != nil {
			return err
		}
	}
	return nil
}
