// Command lint is the set of checks that go vet does not make, each with its
// reason. It runs as `go vet -vettool`, so that results are cached by package.
// It is a module of its own to keep its dependencies out of the service's.
package main

import (
	"strings"

	"github.com/gostaticanalysis/nilerr"
	"github.com/polyfloyd/go-errorlint/errorlint"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/nilness"
	"golang.org/x/tools/go/analysis/passes/unusedwrite"
	"golang.org/x/tools/go/analysis/unitchecker"
	"honnef.co/go/tools/simple"
	"honnef.co/go/tools/staticcheck"
	"honnef.co/go/tools/stylecheck"
)

func main() {
	unitchecker.Main(set()...)
}

func set() []*analysis.Analyzer {
	all := []*analysis.Analyzer{
		errorlint.NewAnalyzer(), // errors are told apart by errors.Is and As, never by their text
		nilerr.Analyzer,         // an error that is found and then answered as success
		nilness.Analyzer,        // what is nil on every path that gets there
		unusedwrite.Analyzer,    // a write to a copy that nobody reads: often a missing pointer
	}
	for _, a := range staticcheck.Analyzers { // SA: bugs
		all = append(all, a.Analyzer)
	}
	for _, a := range simple.Analyzers { // S: a shorter way to say the same
		all = append(all, a.Analyzer)
	}
	for _, a := range stylecheck.Analyzers { // ST: the conventions of the language
		if !excepted(a.Analyzer.Name) {
			all = append(all, a.Analyzer)
		}
	}
	return all
}

// excepted are conventions that this code does not follow.
func excepted(name string) bool {
	for _, except := range []string{
		"ST1000",                     // the package comment stands in one file; a package of tests alone needs none
		"ST1003",                     // the API's own names, as ClusterId, are kept as they are
		"ST1020", "ST1021", "ST1022", // comments are sentences for readers, not forms to fill in
	} {
		if strings.EqualFold(name, except) {
			return true
		}
	}
	return false
}
