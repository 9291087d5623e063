package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"ehpc/api"
)

const pageHeader = "<!-- Generated from api/catalog by go generate ./api; do not edit. -->\n\n"

// page writes an action's reference page.
func page(a *api.Action) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s# %s\n\n%s\n\n%s\n", pageHeader, a.Name, a.SummaryEn, standing(a))
	writeParams(&b, a)
	writeAnswer(&b, a)
	writeErrors(&b, a)
	if err := writeExample(&b, a); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// standing says in words what kind of action it is.
func standing(a *api.Action) string {
	var lines []string
	if a.Built() {
		lines = append(lines, "**Built.**")
	} else {
		lines = append(lines, "**Not built:** it answers `NotImplemented` (HTTP 501).")
	}
	switch {
	case a.Own():
		lines = append(lines, "It is of this service alone: neither the API document nor the SDKs have it.")
	case !a.InSpec:
		lines = append(lines, "The API document does not have it; the SDKs do.")
	}
	if a.ReadOnly {
		lines = append(lines, "It changes nothing.")
	}
	if a.Async {
		line := "The answer comes before the work is done"
		if a.Poll != "" {
			line += fmt.Sprintf("; [%s](%s.md) shows how far it is", a.Poll, a.Poll)
		}
		lines = append(lines, line+".")
	}
	for _, alias := range a.Aliases {
		lines = append(lines, fmt.Sprintf("The spelling `%s` is accepted too.", alias))
	}
	return strings.Join(lines, " ")
}

func writeParams(b *bytes.Buffer, a *api.Action) {
	b.WriteString("\n## Parameters\n\n")
	if len(a.Params) == 0 {
		b.WriteString("None of its own.\n")
		return
	}
	b.WriteString("| name | type | required | limits | description |\n| --- | --- | --- | --- | --- |\n")
	for i := range a.Params {
		p := &a.Params[i]
		row(b, code(p.Name), p.Type, required(p), limits(p), description(a, p))
	}
}

func required(p *api.Param) string {
	switch {
	case p.Mandatory():
		return "yes"
	case p.RequiredIf != nil:
		return fmt.Sprintf("if %s is %s", code(p.RequiredIf.Param), strings.Join(p.RequiredIf.In, " or "))
	}
	return "no"
}

func limits(p *api.Param) string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch {
	case len(p.Enum) > 0 && p.EnumOpen:
		add("for example %s", strings.Join(p.Enum, ", "))
	case len(p.Enum) > 0:
		add("%s", strings.Join(p.Enum, ", "))
	}
	span(add, p.Min, p.Max, "")
	span(add, p.MinLength, p.MaxLength, " characters")
	if p.ClampMin {
		add("less is raised to that")
	}
	if p.Pattern != "" {
		add("%s", code(p.Pattern))
	}
	if p.Rule == "password" {
		add("%s", strings.TrimSuffix(api.Spec().Rules.Password.DescEn, "."))
	}
	if p.Format != "" {
		add("%s", map[string]string{"decimal": "a decimal number", "csv": "separated by commas", "unix": "seconds since 1970"}[p.Format])
	}
	if strings.HasSuffix(p.Name, ".N") {
		add("also as one text, JSON or separated by commas")
	}
	if p.MaxN > 0 {
		add("at most %d entries", p.MaxN)
	}
	if p.Default != nil {
		add("default %v", p.Default)
	}
	return strings.Join(out, "; ")
}

func span[N int | float64](add func(string, ...any), least, most *N, unit string) {
	switch {
	case least != nil && most != nil:
		add("%v to %v%s", *least, *most, unit)
	case least != nil:
		add("at least %v%s", *least, unit)
	case most != nil:
		add("at most %v%s", *most, unit)
	}
}

func description(a *api.Action, p *api.Param) string {
	text := p.DescEn
	for _, alias := range p.Aliases {
		text += fmt.Sprintf(" %s is accepted too.", code(alias))
	}
	if p.OneOfGroup != "" || p.AllOfGroup != "" {
		text += groupNote(a, p)
	}
	if s := api.SupportOf(a.Name, p.Name); a.Built() && s.Note != "" {
		text += fmt.Sprintf(" *%s%s:* %s", strings.ToUpper(string(s.Kind[:1])), s.Kind[1:], s.Note)
	}
	return text
}

func groupNote(a *api.Action, p *api.Param) string {
	var others []string
	for _, other := range a.Params {
		if other.Name != p.Name && other.OneOfGroup == p.OneOfGroup && other.AllOfGroup == p.AllOfGroup {
			others = append(others, code(other.Name))
		}
	}
	if p.OneOfGroup != "" {
		return " Not together with " + strings.Join(others, ", ") + "."
	}
	return " Only together with " + strings.Join(others, ", ") + "."
}

func writeAnswer(b *bytes.Buffer, a *api.Action) {
	b.WriteString("\n## Answer\n\n| field | type | description |\n| --- | --- | --- |\n")
	for i := range a.Response {
		f := &a.Response[i]
		if !f.Emitted() {
			continue
		}
		text := f.DescEn
		if len(f.Enum) > 0 {
			text += " One of " + strings.Join(f.Enum, ", ") + "."
		}
		row(b, code(f.Path), f.Type, text)
	}
}

func writeErrors(b *bytes.Buffer, a *api.Action) {
	b.WriteString("\n## Errors\n\n")
	if len(a.Errors) == 0 {
		b.WriteString("See [the table of errors](../errors.md).\n")
		return
	}
	b.WriteString("Besides those that [every action](../errors.md) may answer:\n\n")
	for _, name := range a.Errors {
		fmt.Fprintf(b, "- `%s`\n", canonicalCode(name))
	}
}

func canonicalCode(name string) string {
	for _, e := range api.Spec().Errors {
		if e.Code == name && e.AliasOf != "" {
			return e.AliasOf
		}
	}
	return name
}

func writeExample(b *bytes.Buffer, a *api.Action) error {
	example := a.Example
	if len(a.Emit) > 0 {
		example = a.Emit
	}
	if len(example) == 0 || string(example) == "null" {
		return nil
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, example, "", "  "); err != nil {
		return fmt.Errorf("cannot print the example of %s: %w", a.Name, err)
	}
	fmt.Fprintf(b, "\n## Example answer\n\n```json\n%s\n```\n", pretty.Bytes())
	return nil
}

func row(b *bytes.Buffer, cells ...string) {
	for _, cell := range cells {
		b.WriteString("| " + strings.ReplaceAll(strings.ReplaceAll(cell, "\n", " "), "|", `\|`) + " ")
	}
	b.WriteString("|\n")
}

func code(s string) string { return "`" + s + "`" }
