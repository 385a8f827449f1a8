// Command record draws the plots of bench/RESULTS.md and is one of the proxies that noecho is compared
// with: Go's ReverseProxy with Coraza, a web application firewall that reads answers.
//
// It knows the files that the programs beside it write. It is a module of its own, so that noecho needs
// neither a firewall nor a plotting library.
package main

import (
	"fmt"
	"os"
)

const usage = `usage: record plot FIGURES DIRECTORY
       record table FIGURES
       record gateway LISTEN TARGET

plot draws the figures of a file of tab-separated values, written by bench/latency and
bench/scan with -tsv, as plots in a directory. table prints them in Markdown. gateway passes requests on and looks for an
expression in the answers.
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "plot":
		return plotAll(args[1], args[2])
	case len(args) == 2 && args[0] == "table":
		return printTables(os.Stdout, args[1])
	case len(args) == 3 && args[0] == "gateway":
		return gateway(args[1], args[2])
	}
	fmt.Fprint(os.Stderr, usage)
	os.Exit(2)
	return nil
}
