package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"ehpc/internal/config"
	"ehpc/internal/store"
)

func defaultData() string { return config.Default().Data }

// dataFlags say which service's data a command of the service's machine is for.
type dataFlags struct{ data, config string }

func (d *dataFlags) add(f *pflag.FlagSet) {
	f.StringVar(&d.data, "data", "", "`DIR`, the service's data directory (default "+defaultData()+")")
	f.StringVar(&d.config, "config", "", "`FILE`, the service's configuration, where its store is named in one")
}

const whichData = "name the data directory of a service that ran at least once with --data, or its configuration with --config"

// attach opens the service's store beside it.
func (d *dataFlags) attach(ctx context.Context) (s *store.Store, dir string, err error) {
	conf, err := loadConfig(config.Default(), d.config)
	if err != nil {
		return nil, "", err
	}
	if d.data != "" {
		conf.Data = d.data
	}
	if _, err := os.Stat(filepath.Join(conf.Data, sealerFile)); err != nil { // it would be made
		return nil, "", fmt.Errorf("cannot open the store: %w; %s", err, whichData)
	}
	place, sealer, err := storePlace(conf)
	if err != nil {
		return nil, "", err
	}
	s, err = store.Attach(ctx, place, sealer)
	if err != nil && place.URL == "" {
		err = fmt.Errorf("%w; %s", err, whichData)
	}
	return s, conf.Data, err
}
