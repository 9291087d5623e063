package main

import (
	"testing"

	"ehpc/api"
)

func TestUserChanges(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string][]any{
		"DeleteUsers":         {api.DeleteUsersResponse{}},
		"ModifyUserGroups":    {api.ModifyUserGroupsResponse{}},
		"ModifyUserPasswords": {api.ModifyUserPasswordsResponse{}},
	})
	for _, c := range []struct {
		name, action, says string
		args               []string
		sent               map[string]string
	}{
		{"delete sends every name", "DeleteUsers", "lovelace germain deleted", []string{"delete", "ehpc-hz-1", "lovelace", "germain"},
			map[string]string{"User.1.Name": "lovelace", "User.2.Name": "germain"}},
		{"group sends the group", "ModifyUserGroups", "is in group wheel", []string{"group", "ehpc-hz-1", "lovelace", "wheel"},
			map[string]string{"User.1.Name": "lovelace", "User.1.Group": "wheel"}},
		{"passwd sends the password of the environment", "ModifyUserPasswords", "another password", []string{"passwd", "ehpc-hz-1", "lovelace"},
			map[string]string{"User.1.Name": "lovelace", "User.1.Password": "Secret-12"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.run("", []string{envPassword, "Secret-12"}, append([]string{"user"}, c.args...)...).want(t, 0, c.says, "")
			for name, want := range c.sent {
				if got := s.request(c.action).Get(name); got != want {
					t.Errorf("%s is %q, expected %q", name, got, want)
				}
			}
		})
	}
	t.Run("a password needs a source", func(t *testing.T) {
		s.run("", nil, "user", "passwd", "ehpc-hz-1", "lovelace").want(t, 2, "", "--password-file or EHPC_PASSWORD")
	})
}
