package dserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gogf/gf/v2/encoding/gjson"
	"github.com/gogf/gf/v2/os/gcfg"
)

// configTypes are the kinds of configuration files, in the order in which they
// are looked for.
var configTypes = []gjson.ContentType{
	gjson.ContentTypeToml, gjson.ContentTypeYaml, gjson.ContentTypeYml, gjson.ContentTypeJSON,
	gjson.ContentTypeIni, gjson.ContentTypeXML, gjson.ContentTypeProperties,
}

// maxConfigSize bounds a configuration file.
const maxConfigSize = 16 << 20

// configDirs are where a configuration file is looked for.
func configDirs() []string {
	var dirs []string
	add := func(dir string, err error) {
		if err == nil {
			dirs = append(dirs, dir, filepath.Join(dir, "config"))
		}
	}
	add(os.Getwd())
	binary, err := os.Executable()
	add(filepath.Dir(binary), err)
	return dirs
}

// findConfig returns the path of the configuration file. What was named
// explicitly must be there; without a name, "" means that there is none.
func findConfig(named string, dirs []string) (string, error) {
	if named == "" {
		for _, dir := range dirs {
			for _, kind := range configTypes {
				if path := filepath.Join(dir, "config."+string(kind)); isFile(path) {
					return path, nil
				}
			}
		}
		return "", nil
	}
	if filepath.IsAbs(named) || filepath.Base(named) != named {
		dirs = []string{""}
	}
	for _, dir := range dirs {
		if path := filepath.Join(dir, named); isFile(path) {
			return path, nil
		}
	}
	return "", fmt.Errorf("configuration file %s: %w", named, fs.ErrNotExist)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// fileContent is the content of one configuration file, as gcfg reads it. It is
// read once: a server that is being configured anew is reloaded.
type fileContent struct {
	json *gjson.Json
}

// loadConfig reads the configuration file at path.
func loadConfig(path string) (*fileContent, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	kind := gjson.ContentType(strings.ToLower(strings.TrimPrefix(filepath.Ext(path), ".")))
	json, err := parseConfig(kind, text)
	if err != nil {
		return nil, fmt.Errorf("configuration file %s: %w", path, err)
	}
	return &fileContent{json: json}, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigSize+1))
	if err == nil && len(text) > maxConfigSize {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxConfigSize)
	}
	return text, err
}

// parseConfig reads a configuration. A kind that is not known is guessed from
// the text.
func parseConfig(kind gjson.ContentType, text []byte) (json *gjson.Json, err error) {
	err = guard("the parser of configuration files", func() error {
		if gjson.IsValidDataType(kind) {
			json, err = gjson.LoadContentType(kind, text, true)
		} else {
			json, err = gjson.LoadContent(text, true)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if v := json.Interface(); v != nil && json.Var().Map() == nil {
		return nil, errors.New("it is not a table of keys and values")
	}
	return json, nil
}

var _ gcfg.Adapter = (*fileContent)(nil)

// Available implements gcfg.Adapter.
func (c *fileContent) Available(context.Context, ...string) bool { return c.json != nil }

// Get implements gcfg.Adapter.
func (c *fileContent) Get(_ context.Context, pattern string) (any, error) {
	if c.json == nil {
		return nil, nil
	}
	return c.json.Get(pattern).Val(), nil
}

// Data implements gcfg.Adapter.
func (c *fileContent) Data(context.Context) (map[string]any, error) {
	if c.json == nil {
		return nil, nil
	}
	return c.json.Var().Map(), nil
}
