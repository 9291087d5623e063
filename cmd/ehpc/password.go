package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// envPassword holds an account's password for commands that need one.
const envPassword = "EHPC_PASSWORD"

// passwordSource is where an account's password comes from. It is never an
// argument: those show in the list of processes.
type passwordSource struct{ file string }

func (p *passwordSource) addFlag(flags *pflag.FlagSet) {
	flags.StringVar(&p.file, "password-file", "", "file whose first line is the account's password, - for standard input ($"+envPassword+")")
}

// ask is the password of an account that exists.
func (p passwordSource) ask(cmd *cobra.Command, env func(string) string, account string) (string, error) {
	return p.find(cmd, env, account, false)
}

// choose is the password of a new account, asked for twice on a terminal.
func (p passwordSource) choose(cmd *cobra.Command, env func(string) string, account string) (string, error) {
	return p.find(cmd, env, account, true)
}

func (p passwordSource) find(cmd *cobra.Command, env func(string) string, account string, twice bool) (string, error) {
	if p.file == "-" {
		return firstLine(cmd.InOrStdin())
	}
	if p.file != "" {
		f, err := os.Open(p.file)
		if err != nil {
			return "", fmt.Errorf("cannot read the password: %w", err)
		}
		defer f.Close()
		return firstLine(f)
	}
	if password := env(envPassword); password != "" {
		return password, nil
	}
	return prompt(cmd, account, twice)
}

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errors.New("cannot read the password: its first line is empty")
	}
	return line, nil
}

func prompt(cmd *cobra.Command, account string, twice bool) (string, error) {
	keyboard, ok := terminal(cmd.InOrStdin())
	if !ok {
		return "", &usageError{cmd.CommandPath(), "no password for account " + account + ": there is no terminal to ask on; use --password-file or " + envPassword}
	}
	read := func(question string) (string, error) {
		fmt.Fprint(cmd.ErrOrStderr(), question)
		defer fmt.Fprintln(cmd.ErrOrStderr())
		typed, err := term.ReadPassword(int(keyboard.Fd()))
		if err != nil {
			return "", fmt.Errorf("cannot read the password: %w", err)
		}
		return string(typed), nil
	}
	password, err := read("Password of " + account + ": ")
	if err != nil || !twice {
		return password, err
	}
	again, err := read("The same again: ")
	if err == nil && again != password {
		err = errors.New("cannot read the password: the two differ")
	}
	return password, err
}
