package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"ehpc/api"
)

// coverage writes what of the API is built, and how far.
func coverage() ([]byte, error) {
	var b bytes.Buffer
	total, built := ofTheAPI()
	fmt.Fprintf(&b, "%s# Coverage\n\n%d of the %d actions of the API are built. The others are known, their parameters are checked, and they answer `NotImplemented` (HTTP 501). Actions of this service alone are not counted.\n",
		pageHeader, built, total)
	writeGroups(&b)
	writeActions(&b)
	writeSupport(&b)
	writeRelaxed(&b)
	return b.Bytes(), nil
}

func ofTheAPI() (total, built int) {
	for _, a := range api.Actions() {
		if !a.Own() {
			total++
			if a.Built() {
				built++
			}
		}
	}
	return total, built
}

func inGroup(id string) (all, built []*api.Action) {
	for _, a := range api.Actions() {
		if a.Group != id {
			continue
		}
		all = append(all, a)
		if a.Built() {
			built = append(built, a)
		}
	}
	return all, built
}

func writeGroups(b *bytes.Buffer) {
	b.WriteString("\n## Groups\n\n| group | built | actions |\n| --- | ---: | ---: |\n")
	for _, g := range api.Spec().Groups {
		all, built := inGroup(g.ID)
		row(b, g.En, fmt.Sprint(len(built)), fmt.Sprint(len(all)))
	}
	total, built := ofTheAPI()
	row(b, "**The API**", fmt.Sprint(built), fmt.Sprint(total))
}

func writeActions(b *bytes.Buffer) {
	b.WriteString("\n## Actions\n\n| action | group | built | summary |\n| --- | --- | --- | --- |\n")
	for _, g := range api.Spec().Groups {
		all, _ := inGroup(g.ID)
		for _, a := range all {
			built := "no"
			if a.Built() {
				built = "yes"
			}
			row(b, fmt.Sprintf("[%s](actions/%s.md)", a.Name, a.Name), g.En, built, a.SummaryEn)
		}
	}
}

func writeSupport(b *bytes.Buffer) {
	b.WriteString("\n## Parameters with something to know\n\nOf the actions that are built. A parameter that is not in this table does what its page says; a name stands for all below it too. " +
		"\"Accepted without effect\" means kept and shown again where an answer has a field for it, and no more.\n\n" +
		"| action | parameters | support | note |\n| --- | --- | --- | --- |\n")
	for _, r := range api.SupportRows() {
		action := r.Action
		if action == "*" {
			action = "all"
		}
		row(b, action, "`"+strings.Join(r.Params, "`, `")+"`", string(r.Kind), r.Note)
	}
}

// writeRelaxed lists where less is asked for than the API document does.
func writeRelaxed(b *bytes.Buffer) {
	b.WriteString("\n## Parameters that may be left out\n\nThe API document requires them, this service does not.\n\n" +
		"| parameter | actions | why |\n| --- | --- | --- |\n")
	type line struct{ param, why string }
	var lines []line
	actions := make(map[line][]string)
	for _, a := range api.Actions() {
		for _, p := range a.Params {
			if p.Relaxed == "" {
				continue
			}
			l := line{p.Name, p.Relaxed}
			if !slices.Contains(lines, l) {
				lines = append(lines, l)
			}
			actions[l] = append(actions[l], a.Name)
		}
	}
	for _, l := range lines {
		who := fmt.Sprintf("%d actions", len(actions[l]))
		if len(actions[l]) <= 4 {
			who = strings.Join(actions[l], ", ")
		}
		row(b, code(l.param), who, l.why)
	}
}

// errorTable writes the page of every code.
func errorTable() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(pageHeader + "# Errors\n\nAn error answer has `Code`, `Message`, `RequestId`, `HostId` and `Recommend`. " +
		"A mandatory parameter that is not given is `Missing<Name>` (HTTP 400, for example `MissingClusterId`), or `MissingParameter` where the name is not a plain word (`User.1.Name`). " +
		"Everything wrong with a request's parameters is in one message; the code is that of the first fault.\n\n" +
		"| code | HTTP | meaning |\n| --- | --- | --- |\n")
	for _, e := range api.Spec().Errors {
		if e.AliasOf == "" {
			row(&b, code(e.Code), fmt.Sprint(e.HTTP), e.En)
		}
	}
	return b.Bytes(), nil
}
