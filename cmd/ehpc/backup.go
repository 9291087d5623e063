package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ehpc/internal/backup"
	"ehpc/internal/store"
)

// newBackupCommand makes a backup of a service beside it.
func newBackupCommand() *cobra.Command {
	var at dataFlags
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Back up a service on this machine into one file, while it serves",
		Long: `Back up a service on this machine into one file, while it serves: the store, the
key of its secrets, credentials and certificate. The file opens every secret of
the service; keep it like a password. ehpc restore unpacks it.

The clusters' volumes (homes, and the schedulers' state) are not in it.`,
		Args: argsNamed("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, dir, err := at.attach(cmd.Context())
			if err != nil {
				return err
			}
			err = backup.Write(cmd.Context(), args[0], dir, s.CopyTo)
			if errors.Is(err, store.ErrShared) {
				err = fmt.Errorf("%w: back it up with pg_dump, and %s beside it", err, filepath.Join(dir, sealerFile))
			}
			if err = errors.Join(err, s.Close()); err != nil {
				return err
			}
			info, err := os.Stat(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "backed up to %s (%d bytes), without the clusters' volumes\n", args[0], info.Size())
			return nil
		},
	}
	at.add(cmd.Flags())
	return cmd
}

// newRestoreCommand unpacks a backup.
func newRestoreCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Unpack a backup into a data directory without a store",
		Long: `Unpack a backup into a data directory without a store, for ehpc dev or ehpc
server to be started on it. In the directory that the backup is of, nodes and
jobs that still live are taken up. What was made after the backup is unknown to
the store; it is kept as long as the file DIR/restored is there.`,
		Args: argsNamed("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			lock, err := store.Lock(data)
			if err != nil {
				return err
			}
			made, err := backup.Restore(args[0], data, func(file string) error {
				return store.Restored(cmd.Context(), file, time.Now())
			})
			if err = errors.Join(err, lock.Close()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "restored the backup of %s into %s\n", exactTime(made), data)
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", defaultData(), "`DIR`, the data directory")
	return cmd
}
