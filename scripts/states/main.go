// Command states writes docs/reference/states.md from the tables of legal steps.
package main

import (
	"bytes"
	"fmt"
	"log"
	"maps"
	"os"
	"slices"

	"ehpc/internal/hpc"
)

//go:generate go run .

// page is where the states are shown, from this directory.
const page = "../../docs/reference/states.md"

func main() {
	if err := os.WriteFile(page, render(), 0o644); err != nil {
		log.Fatal(err)
	}
}

func render() []byte {
	var b bytes.Buffer
	b.WriteString("<!-- Generated from internal/hpc by go generate ./scripts/states; do not edit. -->\n\n# States\n\n" +
		"The legal steps between states, as `DescribeCluster` and `ListNodes` show them. What is `releasing` is gone next.\n")
	diagram(&b, "Clusters", hpc.ClusterUninit, hpc.ClusterReleasing, hpc.ClusterSteps)
	diagram(&b, "Nodes", hpc.NodeUninit, hpc.NodeReleasing, hpc.NodeSteps)
	return b.Bytes()
}

func diagram[S ~string](b *bytes.Buffer, title string, first, last S, steps map[S][]S) {
	fmt.Fprintf(b, "\n## %s\n\n```mermaid\nstateDiagram-v2\n    [*] --> %s\n", title, first)
	for _, from := range slices.Sorted(maps.Keys(steps)) {
		for _, to := range steps[from] {
			fmt.Fprintf(b, "    %s --> %s\n", from, to)
		}
	}
	fmt.Fprintf(b, "    %s --> [*]\n```\n", last)
}
