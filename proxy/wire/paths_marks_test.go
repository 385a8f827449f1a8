package wire

import "testing"

// TestMarks: a member says by being there what kind a message is, whatever
// stands before it and however its name is spelled.
func TestMarks(t *testing.T) {
	t.Parallel()
	p := NewPaths(Table{Choices: "choices", Marks: []string{"token", "meta"}, Rules: []Rule{
		{When: "token", Role: Begin},
		{When: "meta", Path: "index", Role: ChoiceNumber},
		{Path: "text", Role: Text, Name: "text"},
		{Path: "token.id", Role: Drop, With: "0"},
		{Path: "choices[#].calls[#].function.index", Role: ElementNumber},
		{Path: "choices[#].calls[#].function.name", Role: Text, Name: "calls.#.name"},
	}})
	for _, tt := range []struct{ name, payload, want string }{
		{"a choice", `{"index":7,"token":{"id":12,"x":"y"}}`, "begin 0 \ndrop 0 -> 0 12\naside 0 token.x y\n"},
		{"a choice with a number", `{"index":7,"text":"a","meta":{}}`, "begin 7 \ntext 7 text a\n"},
		{"the first counts", `{"meta":{},"index":7,"token":{}}`, "begin 7 \n"},
		{"escaped", `{"index":7,"m\u0065ta":null}`, "begin 7 \n"},
		{"neither", `{"index":7,"text":"a"}`, "text -1 text a\n"},
		{"number within an element", `{"choices":[{"calls":[{"function":{"name":"f","index":3}},{"function":{"name":"g"}}]}]}`, "begin 0 \ntext 0.3 calls.#.name f\ntext 0.1 calls.#.name g\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := NewLocator(p, SSE)
			fields, err := l.Locate([]byte(tt.payload))
			if err != nil {
				t.Fatal(err)
			}
			if got := show(tt.payload, fields); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}
