// Package sdk drives a running noecho with real clients: official libraries,
// frameworks, a gateway, a browser and programs that have only HTTP. Its tests build
// the program from the checkout above, index a small invented corpus, start a
// scripted model behind it and compare the text that the client reads, word for word. Nothing
// of a client is changed but its base URL.
package sdk
