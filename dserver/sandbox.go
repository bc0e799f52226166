package dserver

import (
	"context"
	"errors"
	"fmt"
	"reflect"
)

// ISandbox is a unit of business code. A type that implements it must also
// embed BaseSandbox, and is added as a pointer.
type ISandbox interface {
	// Name identifies the sandbox within the server. It must not change.
	Name() string
	// Setup starts the work. It runs on a goroutine of its own and may block for
	// as long as the work lasts, or return nil once the work has been started
	// elsewhere. An error ends the sandbox, not the others; so does a panic. It
	// is called again when a stopped sandbox is started once more.
	Setup() error
	// Shutdown ends the work that Setup started and makes a blocking Setup
	// return. The context of the sandbox has ended already when it is called. It
	// should return within the limit of a graceful stop, 15 s by default.
	Shutdown() error
}

// BaseSandbox is what every sandbox embeds, directly or inside another embedded
// struct. The server fills the fields in when the sandbox is added, and puts a
// fresh Context in before every Setup.
type BaseSandbox struct {
	// Context ends when the sandbox is stopped, before Shutdown is called, and
	// when Setup fails.
	Context context.Context
	// Service is the service that holds the sandbox.
	Service *DService
	// Config is the configuration of the server.
	Config *Config
}

// ServiceSandbox is the same as BaseSandbox, under the name that some programs
// embed it by.
type ServiceSandbox struct {
	BaseSandbox
}

// The reasons why AddSandBox refuses a sandbox, for errors.Is.
var (
	// ErrNotSandbox says that the value is not a pointer to a struct that embeds BaseSandbox, or has no name.
	ErrNotSandbox = errors.New("not a sandbox")
	// ErrSandboxExists says that a sandbox of that name was added before.
	ErrSandboxExists = errors.New("already exists")
)

var baseType = reflect.TypeFor[BaseSandbox]()

// baseOf finds the BaseSandbox that s embeds, however deep.
func baseOf(s ISandbox) (*BaseSandbox, error) {
	v := reflect.ValueOf(s)
	if s == nil || v.Kind() != reflect.Pointer {
		return nil, fmt.Errorf("sandbox %T: %w: it is not a pointer", s, ErrNotSandbox)
	}
	if v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("sandbox %T: %w: it does not point to a struct", s, ErrNotSandbox)
	}
	if base := findBase(v.Elem()); base != nil {
		return base, nil
	}
	return nil, fmt.Errorf("sandbox %T: %w: it does not embed dserver.BaseSandbox", s, ErrNotSandbox)
}

// findBase looks through the embedded structs of v. An embedded pointer to
// BaseSandbox that is nil is made, others that are nil are passed over: they
// belong to the program.
func findBase(v reflect.Value) *BaseSandbox {
	for i := range v.NumField() {
		f := v.Field(i)
		if !v.Type().Field(i).Anonymous {
			continue
		}
		if f.Kind() == reflect.Pointer {
			if f.IsNil() && f.Type().Elem() == baseType && f.CanSet() {
				f.Set(reflect.New(baseType))
			}
			f = f.Elem()
		}
		if f.Kind() != reflect.Struct {
			continue
		}
		if f.Type() == baseType && f.CanAddr() && f.CanSet() {
			return f.Addr().Interface().(*BaseSandbox)
		}
		if base := findBase(f); base != nil {
			return base
		}
	}
	return nil
}
