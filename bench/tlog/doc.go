// Package tlog lets programs of other people check the audit log of noecho: the file system
// check of Tessera, and a witness made of the parts of Torchwood.
package tlog
