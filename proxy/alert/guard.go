package alert

import "errors"

// errPanicked stands for a panic of a sink. It does not repeat what the panic
// said.
var errPanicked = errors.New("sink panicked")

// guarded turns a sink's panics into errors: what is broken in a sink must not
// end the process whose answers it reports.
type guarded struct{ sink Sink }

func (g guarded) Name() string { return g.sink.Name() }

func (g guarded) Write(line []byte) (n int, err error) {
	defer contain(&err)
	return g.sink.Write(line)
}

func (g guarded) Sync() (err error) {
	defer contain(&err)
	return g.sink.Sync()
}

func (g guarded) Reopen() (err error) {
	defer contain(&err)
	return g.sink.Reopen()
}

func (g guarded) Close() (err error) {
	defer contain(&err)
	return g.sink.Close()
}

// contain is deferred around a call of a sink.
func contain(err *error) {
	if recover() != nil {
		*err = errPanicked
	}
}

var _ Sink = guarded{}
