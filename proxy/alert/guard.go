package alert

import "errors"

// errPanicked takes the place of the value of a panic in a sink, which may quote anything.
var errPanicked = errors.New("sink panicked")

// guarded turns the panics of a sink into errors: a broken sink must not end the process
// that answers callers.
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

// guardedEncode returns the encoder of a sink. An event over which it panics becomes a line of
// JSON as other sinks write it.
func guardedEncode(e Encoder) func(dst []byte, ev *Event) []byte {
	return func(dst []byte, ev *Event) (line []byte) {
		defer func() {
			if recover() != nil {
				line = AppendLine(dst, ev)
			}
		}()
		return e.Append(dst, ev)
	}
}

// contain is deferred in every call of a sink; it turns a panic into errPanicked.
func contain(err *error) {
	if recover() != nil {
		*err = errPanicked
	}
}

var _ Sink = guarded{}
