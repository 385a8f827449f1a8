package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"noecho/proxy"
)

func newPrincipalCommand(a *app) *cobra.Command {
	var keyFile, header string
	var certificate bool
	cmd := &cobra.Command{
		Use:   "principal --key-file FILE [--header NAME|--certificate] <CREDENTIAL",
		Short: "Print the name that alerts give to a credential",
		Long: `Read a credential from the standard input and print its principal: the name by which
alerts and rules of a proxy with the same principal_key_file know it.

The principal is a keyed hash of the whole header that a caller sends. If that header is
Authorization, as by default, and the credential has no scheme, Bearer is put before it.
Line ends around the credential are left out. With --certificate the input is the name of a
caller in its certificate, as the key identify.certificate takes it.`,
		Example: `  noecho principal --key-file /etc/noecho/principal.key <token.txt
  noecho principal --key-file /etc/noecho/principal.key --header x-api-key <token.txt
  echo alice | noecho principal --key-file /etc/noecho/principal.key --certificate`,
		Args: noArguments,
		RunE: func(_ *cobra.Command, _ []string) error {
			if keyFile == "" {
				return usageError("name with --key-file the file that principal_key_file names")
			}
			const most = 64 << 10
			text, err := io.ReadAll(io.LimitReader(a.stdin, most))
			if err != nil {
				return fmt.Errorf("read the credential: %w", err)
			}
			secret := strings.TrimSpace(string(text))
			if secret == "" {
				return usageError("the standard input has no credential")
			}
			if !certificate && strings.EqualFold(header, "authorization") && !strings.Contains(secret, " ") {
				secret = "Bearer " + secret
			}
			name, err := proxy.Principal(keyFile, []byte(secret))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.stdout, name)
			return err
		},
	}
	cmd.Flags().StringVar(&keyFile, "key-file", "", "`FILE` with the key of principals (required)")
	cmd.Flags().StringVar(&header, "header", "authorization", "`NAME` of the header with the credential")
	cmd.Flags().BoolVar(&certificate, "certificate", false, "the input is the name in a caller's certificate, not a credential")
	cmd.MarkFlagsMutuallyExclusive("header", "certificate")
	return cmd
}
