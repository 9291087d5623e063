package local

import (
	"context"
	"fmt"
)

// removeTrees removes files and directories that root in a node, or any user
// there, wrote; links are removed and not followed. It is rm that does it, since
// os.RemoveAll holds a descriptor for every level: directories nested deeply
// enough would take all of this process's.
func removeTrees(ctx context.Context, paths ...string) error {
	if len(paths) == 0 {
		return nil
	}
	if _, err := run(ctx, "", "rm", append([]string{"-rf", "--"}, paths...)...); err != nil {
		return fmt.Errorf("cannot remove what a node wrote: %w", err)
	}
	return nil
}
