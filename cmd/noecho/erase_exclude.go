package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"noecho/audit"
	"noecho/govern"
	"noecho/index/inventory"
	"noecho/internal/report"
)

// eraseExclude contains the flags of erase exclude.
type eraseExclude struct {
	ledger   requestLedger
	out      string
	find     inventoryFind
	possible bool
	format   outputFormat
}

func newEraseExcludeCommand(a *app) *cobra.Command {
	x := new(eraseExclude)
	cmd := &cobra.Command{
		Use:   "exclude REQUEST --ledger DIR --out LIST [--inventory FILE --key FILE]",
		Short: "List the rows of a request, so that no build has them again",
		Long: `Add the rows of a request to LIST: keyed hashes of the rows and of the identifiers, no
text and no name. The rows are those that erase open found; with --inventory they are
searched for again, by the query in the ledger. Give LIST to every later index
build with --exclude. A build whose inputs have such a row or identifier, for example
because a training file was restored from a backup, ends with exit code 5.

Names are not in the list, because other people may have them. Rows that are only a
possible match are left out; --possible takes them too, once a person has confirmed them
all. --corpus also searches the training files, as inventory find does.

LIST may have the rows of many requests. It has mode 0600. Exit code 1 means that the
search was not complete: the list has the rows that were found.`,
		Example: "  noecho erase exclude 01JDVZ3T0G5Q7X9A1B2C3D4E5F --ledger requests --audit audit --inventory train.ninv --key inventory.key --out erased.list\n  noecho index build --exclude erased.list --inventory-key inventory.key --inventory next.ninv --out next.nidx train.jsonl",
		Args:    exactArgs(1, "one request"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return x.run(cmd.Context(), a, args[0])
		},
	}
	x.ledger.add(cmd)
	f := cmd.Flags()
	f.StringVar(&x.out, "out", "", "`LIST` to write or to add to (required)")
	f.StringArrayVar(&x.find.inventories, "inventory", nil, "inventory to search again; may be repeated")
	f.StringArrayVar(&x.find.keys, "key", nil, "`FILE` with the key of the inventories")
	f.StringArrayVar(&x.find.sources.Inputs, "corpus", nil, "training `INPUT` to search too; may be repeated")
	f.BoolVar(&x.possible, "possible", false, "take the possible matches too")
	x.ledger.audit.add(cmd)
	x.format.add(cmd)
	return cmd
}

// run finds the rows and writes them into the ledger and the list.
func (x *eraseExclude) run(ctx context.Context, a *app, id string) error {
	if err := x.format.check(); err != nil {
		return err
	}
	switch {
	case x.out == "":
		return usageError("name the list to write with --out LIST")
	case len(x.find.inventories) == 0 && x.possible:
		return usageError("--possible needs --inventory FILE and --key FILE, to find the rows again")
	case holdsSomethingElse(x.out, inventory.ExclusionHead):
		return usageError("%s exists and is no list of rows, so it is not overwritten; choose another --out", x.out)
	}
	ledger, r, err := x.ledger.read(a, id)
	if err != nil {
		return err
	}
	if r.State != govern.Open {
		return fmt.Errorf("the request is %s", r.State)
	}
	answer := &inventory.Answer{Complete: true}
	if len(x.find.inventories) > 0 {
		if answer, err = x.find.about(ctx, a, r); err != nil {
			return err
		}
		if err := listRows(r, &x.find, answer, x.possible); err != nil {
			return err
		}
	}
	known, err := excludedRows(r)
	if err != nil {
		return err
	}
	rows := known.Requests[id] // with those of former searches
	if rows == nil {
		return usageError("name the inventory of the training files with --inventory FILE and --key FILE: erase open had none")
	}
	if err := x.add(ctx, known.Key, id, rows); err != nil {
		return err
	}
	r.Record("excluded", map[string]uint64{"rows": uint64(len(rows.Rows)), "values": uint64(len(rows.Values)), "complete": asCount(answer.Complete)}, time.Now())
	if err := x.ledger.write(ctx, a, ledger, r); err != nil {
		return err
	}
	if err := x.print(a, id, rows, answer); err != nil {
		return err
	}
	if err := answerError(a.stderr, answer); !answer.Complete {
		return err
	}
	return nil
}

// excludedRows returns the rows of a request that erase exclude found.
func excludedRows(r *govern.Request) (*inventory.Exclusions, error) {
	if len(r.Excluded) == 0 {
		return new(inventory.Exclusions), nil
	}
	return inventory.ReadExclusions(bytes.NewReader(r.Excluded))
}

// about searches for the person of a request.
func (s *inventoryFind) about(ctx context.Context, a *app, r *govern.Request) (*inventory.Answer, error) {
	again := *a
	again.stdin = bytes.NewReader(r.Query)
	s.query = queryFlags{file: "-"}
	return s.search(ctx, &again)
}

// confirmed returns the findings that an identifier says are about the person, or all, and the
// number of the others.
func confirmed(answer *inventory.Answer, all bool) (taken []inventory.Finding, possible int) {
	for _, f := range answer.Findings {
		if all || f.Certain() {
			taken = append(taken, f)
		} else {
			possible++
		}
	}
	return taken, possible
}

// asCount returns a fact as an entry of the audit log has it.
func asCount(fact bool) uint64 {
	if fact {
		return 1
	}
	return 0
}

// listRows adds the rows of the findings to those that the request has in the ledger. All inventories
// have one key.
func listRows(r *govern.Request, find *inventoryFind, answer *inventory.Answer, possible bool) error {
	query, _, err := inventory.ReadQuery(bytes.NewReader(r.Query))
	if err != nil {
		return err
	}
	if len(find.keys) != 1 {
		return usageError("a list has the key of one inventory: name one --key, and make a list for each key")
	}
	k, err := readInventoryKey(find.keys[0])
	if err != nil {
		return err
	}
	files, err := openInventories(find.inventories, find.keys)
	if err != nil {
		return inventoryError(err)
	}
	known, err := excludedRows(r)
	if err != nil {
		return err
	}
	taken, _ := confirmed(answer, possible)
	for _, f := range files {
		defer f.Close()
		one, err := f.Exclusion(query, taken)
		if err != nil {
			return inventoryError(err)
		}
		if err := known.Add(k.ID(), r.ID, one); err != nil {
			return usageError("the ledger has rows of this request: %w", err)
		}
		r.Trained(f.Meta.Model, f.Meta.IndexBuild)
	}
	r.Excluded, err = json.Marshal(known)
	return err
}

// add adds the rows to the list. Of two runs at a time, one waits.
func (x *eraseExclude) add(ctx context.Context, key inventory.Sum, id string, rows *inventory.Exclusion) error {
	lock, err := audit.Lock(ctx, x.out+".lock")
	if err != nil {
		return fmt.Errorf("write %s: %w", x.out, err)
	}
	defer lock.Close()
	list := new(inventory.Exclusions)
	if _, err := os.Stat(x.out); !errors.Is(err, fs.ErrNotExist) {
		if list, err = openExclusions(x.out); err != nil {
			return err
		}
	}
	if err := list.Add(key, id, rows); err != nil {
		return usageError("%s: %w", x.out, err)
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return replaceWith(x.out, append(text, '\n'), 0o600)
}

// print prints how many rows the list has of the request.
func (x *eraseExclude) print(a *app, id string, rows *inventory.Exclusion, answer *inventory.Answer) error {
	_, possible := confirmed(answer, x.possible)
	shown := struct {
		Request  string `json:"request"`
		List     string `json:"list"`
		Rows     int    `json:"rows"`
		Values   int    `json:"values"`
		Possible int    `json:"possible"`
		Complete bool   `json:"complete"`
	}{id, x.out, len(rows.Rows), len(rows.Values), possible, answer.Complete}
	d := &report.Document{Title: "Rows to leave out of the next training", Facts: []report.Fact{
		{Name: "Request", Value: id},
		{Name: "List", Value: x.out},
		{Name: "Rows", Value: strconv.Itoa(shown.Rows)},
		{Name: "Identifiers", Value: strconv.Itoa(shown.Values)},
		{Name: "Possible matches, not in the list", Value: strconv.Itoa(possible)},
		{Name: "Search", Value: map[bool]string{true: "complete", false: "NOT complete"}[answer.Complete]},
	}, Notes: []string{"Take these rows out of the training files. A later index build --exclude " + x.out + " refuses files that have them."}}
	return x.format.write(a.stdout, shown, d)
}
