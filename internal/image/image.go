package image

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// DefaultDir is where images are kept on a host that runs nodes as root.
const DefaultDir = "/var/cache/ehpc"

// ErrNotFound: no such image has been made here.
var ErrNotFound = errors.New("no such image")

// Image is one that has been made. Its manifest holds everything but the path.
type Image struct {
	ID       string            `json:"id"`     // as "debian12-ehpc"
	OSTag    string            `json:"os_tag"` // the name clients know it by, as "Debian_12_64"
	Recipe   string            `json:"recipe"` // hash of everything that decides its content
	Created  time.Time         `json:"created"`
	Packages map[string]string `json:"packages"` // name -> version
	Rootfs   string            `json:"-"`        // absolute path of the root file system
}

// Store is a directory of images. Several processes may use one at a time.
type Store struct {
	dir   string
	pause time.Duration // before a second attempt; longer before a third
	log   *slog.Logger
}

// Open uses the directory, which is made when the first image is.
func Open(dir string, log *slog.Logger) *Store {
	return &Store{dir: filepath.Join(dir, "images"), pause: 2 * time.Second, log: log}
}

// List returns every image, newest first, those of earlier recipes included.
func (s *Store) List() ([]Image, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list images: %w", err)
	}
	var images []Image
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		img, err := read(filepath.Join(s.dir, e.Name()))
		if err != nil {
			return nil, err
		}
		images = append(images, img)
	}
	slices.SortStableFunc(images, func(a, b Image) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.Recipe, b.Recipe))
	})
	return images, nil
}

// Find returns the newest image whose id or OS tag is name, or ErrNotFound.
func (s *Store) Find(name string) (Image, error) {
	images, err := s.List()
	if err != nil {
		return Image{}, err
	}
	for _, img := range images {
		if img.ID == name || img.OSTag == name {
			return img, nil
		}
	}
	return Image{}, fmt.Errorf("%w: %q in %s", ErrNotFound, name, s.dir)
}

func read(dir string) (Image, error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return Image{}, fmt.Errorf("cannot read image: %w", err)
	}
	var img Image
	if err := json.Unmarshal(text, &img); err != nil {
		return Image{}, fmt.Errorf("cannot read image %s: %w", dir, err)
	}
	img.Rootfs = filepath.Join(dir, "rootfs")
	return img, nil
}

const manifestName = "manifest.json"

func writeManifest(dir string, img Image) error {
	text, err := json.MarshalIndent(img, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, manifestName), append(text, '\n'), 0o644)
}
