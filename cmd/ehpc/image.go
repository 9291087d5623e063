package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"ehpc/internal/action"
	"ehpc/internal/image"
)

// newImageCommand makes and lists node images.
func newImageCommand() *cobra.Command {
	var cache string
	cmd := &cobra.Command{Use: "image", Short: "Make and list the node images of this machine", Args: noArgs, RunE: showHelp}
	cmd.PersistentFlags().StringVar(&cache, "cache", image.DefaultDir, "where images are kept")
	cmd.AddCommand(&cobra.Command{Use: "build", Short: "Make the node image, unless it is there", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			say := func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			img, err := image.Open(cache, slog.Default()).Ensure(cmd.Context(), say)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s (%s) in %s\n", img.ID, img.OSTag, img.Rootfs)
			return nil
		}})
	cmd.AddCommand(newImageListCommand(&cache))
	return cmd
}

func newImageListCommand(cache *string) *cobra.Command {
	var format string
	cmd := &cobra.Command{Use: "list", Short: "List the node images", Args: noArgs}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		screen, err := newScreen(cmd, format)
		if err != nil {
			return err
		}
		images, err := image.Open(*cache, slog.Default()).List()
		if err != nil {
			return err
		}
		return list(screen, images,
			column[image.Image]{"ID", func(i image.Image) string { return i.ID }},
			column[image.Image]{"OS", func(i image.Image) string { return i.OSTag }},
			column[image.Image]{"MADE", func(i image.Image) string { return tableTime(i.Created) }})
	}
	addFormat(cmd.Flags(), &format)
	return cmd
}

// softwareOf are the packages of an image that people look for, by the names
// they look for them under.
var softwareOf = map[string]string{"lammps": "lammps", "openmpi-bin": "openmpi"}

// listed is an image as the API lists it.
func listed(img image.Image) action.Image {
	a := action.Image{ID: img.ID, OsTag: img.OSTag, OSName: "Debian 12 64-bit", Platform: "Debian", Version: "12",
		Schedulers: map[string]string{}, Software: map[string]string{}}
	if v, there := img.Packages["slurmctld"]; there {
		a.Schedulers["slurm"] = upstream(v)
	}
	for pkg, name := range softwareOf {
		if v, there := img.Packages[pkg]; there {
			a.Software[name] = upstream(v)
		}
	}
	return a
}

// upstream is a package's version without its epoch and Debian revision.
func upstream(version string) string {
	if _, rest, ok := strings.Cut(version, ":"); ok {
		version = rest
	}
	version, _, _ = strings.Cut(version, "-")
	version, _, _ = strings.Cut(version, "+")
	return version
}
