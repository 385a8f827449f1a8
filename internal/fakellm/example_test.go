package fakellm_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"

	"noecho/internal/fakellm"
)

// A server that says three words, one message each, and then breaks the connection.
func Example() {
	script := fakellm.Say("one two three")
	script.Fault = fakellm.Fault{Kind: fakellm.FaultCut, After: 4} // the role, then three words
	server, err := fakellm.New(fakellm.Config{Default: &script})
	if err != nil {
		panic(err)
	}
	if err := server.Start("127.0.0.1:0"); err != nil {
		panic(err)
	}
	defer server.Close()
	resp, err := http.Post(server.URL()+"/v1/chat/completions", "application/json",
		strings.NewReader(`{"model":"any","stream":true,"messages":[{"role":"user","content":"Count!"}]}`))
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Println(strings.Count(string(body), "data: "), "messages,", err)
	// Output: 4 messages, unexpected EOF
}
