package local

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ehpc/internal/provider"
)

// phase is how far a machine's making is, as its record says.
type phase string

const (
	making phase = "making" // or left half made
	made   phase = "made"   // was started whole; its init may have ended since
)

// record is a machine's file, written before anything of the machine is made.
type record struct {
	Spec     provider.Spec `json:"spec"`
	Address  string        `json:"address"`
	BootID   string        `json:"boot_id"`
	Phase    phase         `json:"phase"`
	AgentDir string        `json:"agent_dir,omitempty"`
	Init     process       `json:"init"`
	Reclaim  time.Time     `json:"reclaim,omitzero"` // when it is taken back
}

const recordName = "machine.json"

func (p *Provider) machineDir(id string) string { return filepath.Join(p.opts.Dir, "machines", id) }
func (p *Provider) clusterDir(id string) string { return filepath.Join(p.opts.Dir, "clusters", id) }

func (p *Provider) loadRecord(id string) (record, error) {
	var rec record
	err := loadJSON(filepath.Join(p.machineDir(id), recordName), &rec)
	return rec, err
}

func (p *Provider) saveRecord(rec record) error {
	return saveJSON(filepath.Join(p.machineDir(rec.Spec.ID), recordName), rec)
}

// records returns the readable records of all machines.
func (p *Provider) records() ([]record, error) {
	ids, err := subdirs(filepath.Join(p.opts.Dir, "machines"))
	if err != nil {
		return nil, err
	}
	var records []record
	for _, id := range ids {
		rec, err := p.loadRecord(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	return records, nil
}

func subdirs(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func loadJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("cannot read %s: %w", path, err)
	}
	return nil
}

// saveJSON replaces the file whole and durably: a reader sees the old text or
// the new, after a power cut too.
func saveJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	tmp := path + ".tmp"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// instanceID names a data directory. Things on the host carry it, so that
// several directories can be in use on one host.
func instanceID(dir string) (string, error) {
	path := filepath.Join(dir, "instance")
	text, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	id := randomHex(4)
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, []byte(id+"\n"), 0o600); err != nil {
		return "", err
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", err
	}
	return id, syncDir(dir)
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}
