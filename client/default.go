package client

import "github.com/osgochina/dmicro/registry"

func defaultRegistry() registry.Registry { return nil }
