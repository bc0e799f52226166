//go:build unix

package process

import (
	"errors"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// errNotRoot is returned when a program shall run as somebody else and we may not arrange it.
var errNotRoot = errors.New("only root may start programs of another user")

// asUser makes the program run as the user of the options, with all of the user's groups, and returns the
// environment that belongs to the user. Variables that the options set themselves are left alone.
func asUser(attr *syscall.SysProcAttr, o ProcOptions) ([]string, error) {
	name, group := splitUser(o.User)
	u, err := lookupUser(name)
	if err != nil {
		return nil, err
	}
	gid, groups := u.Gid, []string(nil)
	if groups, err = u.GroupIds(); err != nil {
		return nil, err
	}
	if group != "" {
		if gid, err = lookupGroup(group); err != nil {
			return nil, err
		}
		groups = append(groups, gid)
	}
	cred, err := credential(u.Uid, gid, groups)
	if err != nil {
		return nil, err
	}
	switch {
	case os.Geteuid() == 0:
		attr.Credential = cred
	case int(cred.Uid) != os.Geteuid() || int(cred.Gid) != os.Getegid():
		return nil, errNotRoot
	}
	var env []string
	for _, v := range [][2]string{{"HOME", u.HomeDir}, {"USER", u.Username}, {"LOGNAME", u.Username}} {
		if !o.has(v[0]) {
			env = append(env, v[0]+"="+v[1])
		}
	}
	return env, nil
}

// lookupUser prefers a name to a number.
func lookupUser(name string) (*user.User, error) {
	u, err := user.Lookup(name)
	if _, notNumber := strconv.ParseUint(name, 10, 32); err == nil || notNumber != nil {
		return u, err
	}
	return user.LookupId(name)
}

func lookupGroup(name string) (gid string, err error) {
	g, err := user.LookupGroup(name)
	if _, notNumber := strconv.ParseUint(name, 10, 32); err != nil && notNumber == nil {
		return name, nil // a group may be a bare number
	}
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}

func credential(uid, gid string, groups []string) (*syscall.Credential, error) {
	cred := &syscall.Credential{}
	number := func(text string, to *uint32) error {
		n, err := strconv.ParseUint(text, 10, 32)
		*to = uint32(n)
		return err
	}
	errs := []error{number(uid, &cred.Uid), number(gid, &cred.Gid)}
	for _, g := range groups {
		cred.Groups = append(cred.Groups, 0)
		errs = append(errs, number(g, &cred.Groups[len(cred.Groups)-1]))
	}
	return cred, errors.Join(errs...)
}
