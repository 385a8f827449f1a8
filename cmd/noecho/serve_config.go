package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"noecho/proxy/config"
)

// overlay contains the flags that override a configuration file.
type overlay struct {
	config                                string
	index                                 []string
	keys                                  keyFiles
	upstream, listen, admin, mode, alerts string
	logLevel                              string
	changed                               func(flag string) bool
}

func (o *overlay) addConfig(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.config, "config", "c", "", "configuration `FILE` (NOECHO_CONFIG)")
}

// setting is one value that a flag or a variable of the environment can override.
type setting struct {
	flag, env string
	value     string // of the flag
	apply     func(string) error
}

// load reads the file, if one is named, and overrides its values by those of the
// environment and the flags. A further call reads the file again. All errors are usage
// errors.
func (o *overlay) load(getenv func(string) string) (config.Config, error) {
	cfg := config.Default()
	name := o.config
	if name == "" {
		name = getenv("NOECHO_CONFIG")
	}
	if name != "" {
		if why := mistaken(name); why != "" {
			return config.Config{}, usageError("%s %s", name, why)
		}
		var err error
		if cfg, err = config.LoadFile(name); err != nil {
			return config.Config{}, &exitError{Code: exitUsage, Err: err}
		}
	}
	for _, s := range o.settings(&cfg) {
		if s.flag != "" && o.changed(s.flag) {
			if err := s.apply(s.value); err != nil {
				return config.Config{}, usageError("--%s: %w", s.flag, err)
			}
		} else if v := getenv(s.env); v != "" {
			if err := s.apply(v); err != nil {
				return config.Config{}, usageError("%s: %w", s.env, err)
			}
		}
	}
	if o.changed("index") {
		cfg.Index = nil
		for _, path := range o.index {
			cfg.Index = append(cfg.Index, config.Index{Path: path})
		}
	}
	if o.changed("key-file") {
		cfg.KeyFiles = o.keys
	}
	if err := cfg.Complete(); err != nil {
		return config.Config{}, &exitError{Code: exitUsage, Err: err}
	}
	return cfg, nil
}

// settings lists the values of cfg that can be overridden.
func (o *overlay) settings(cfg *config.Config) []setting {
	return []setting{
		{"", "NOECHO_INDEX", "", func(s string) error {
			cfg.Index = nil
			for _, path := range filepath.SplitList(s) {
				cfg.Index = append(cfg.Index, config.Index{Path: path})
			}
			return nil
		}},
		{"", "NOECHO_KEY_FILE", "", func(s string) error {
			cfg.KeyFiles = filepath.SplitList(s)
			return nil
		}},
		{"upstream", "NOECHO_UPSTREAM", o.upstream, func(s string) (err error) {
			cfg.Upstream.URL, err = config.ParseUpstream(s)
			return err
		}},
		{"listen", "NOECHO_LISTEN", o.listen, func(s string) (err error) {
			cfg.Listen, err = config.ParseListen(s)
			return err
		}},
		{"admin", "NOECHO_ADMIN", o.admin, func(s string) (err error) {
			cfg.Admin.Listen, err = config.ParseListen(s)
			return err
		}},
		{"", "NOECHO_ADMIN_TOKEN_FILE", "", func(s string) error {
			cfg.Admin.TokenFile = s
			return nil
		}},
		{"mode", "NOECHO_MODE", o.mode, func(s string) (err error) {
			cfg.Mode, err = config.ParseMode(s)
			return err
		}},
		{"log-level", "NOECHO_LOG_LEVEL", o.logLevel, func(s string) (err error) {
			cfg.LogLevel, err = config.ParseLogLevel(s)
			return err
		}},
		{"", "NOECHO_AUDIT", "", func(s string) error {
			cfg.Audit.Dir = s
			return nil
		}},
		{"", "NOECHO_AUDIT_KEY_FILE", "", func(s string) error {
			cfg.Audit.KeyFile = s
			return nil
		}},
		{"alerts", "NOECHO_ALERTS", o.alerts, func(s string) error {
			cfg.Alerts = []config.Alert{{Type: config.AlertFile, Path: s}}
			if s == "-" {
				cfg.Alerts = []config.Alert{{Type: config.AlertStdout}}
			}
			return nil
		}},
	}
}
