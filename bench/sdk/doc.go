// Package sdk drives a running noecho with the official client libraries. Its
// tests build the program from the checkout above, index a small invented
// corpus, start a scripted model behind it and compare what the client reads,
// word for word. Nothing of a client is changed but its base URL.
package sdk
