// Runs a health check of Argo CD as Argo CD does (util/lua/lua.go there): gopher-lua with the base, package and table
// libraries, and the object as the global obj. Reads {"text": ..., "objects": [...]}, answers what each check returned.
package main

import (
	"encoding/json"
	"log"
	"os"

	lua "github.com/yuin/gopher-lua"
)

type answer struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	var asked struct {
		Text    string           `json:"text"`
		Objects []map[string]any `json:"objects"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatal(err)
	}
	answers := make([]answer, 0, len(asked.Objects))
	for _, object := range asked.Objects {
		answers = append(answers, health(asked.Text, object))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}

func health(text string, object map[string]any) answer {
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer l.Close()
	libraries := []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}}
	for _, library := range libraries {
		l.Push(l.NewFunction(library.open))
		l.Push(lua.LString(library.name))
		l.Call(1, 0)
	}
	l.SetGlobal("obj", value(l, object))
	if err := l.DoString(text); err != nil {
		log.Fatal(err)
	}
	table, ok := l.Get(-1).(*lua.LTable)
	if !ok {
		log.Fatalf("the check returned %s, and not a table", l.Get(-1).Type())
	}
	return answer{Status: field(table, "status"), Message: field(table, "message")}
}

func field(table *lua.LTable, name string) string {
	text, ok := table.RawGetString(name).(lua.LString)
	if !ok {
		log.Fatalf("%s is not a text", name)
	}
	return string(text)
}

func value(l *lua.LState, from any) lua.LValue {
	switch from := from.(type) {
	case bool:
		return lua.LBool(from)
	case float64:
		return lua.LNumber(from)
	case string:
		return lua.LString(from)
	case []any:
		table := l.NewTable()
		for _, item := range from {
			table.Append(value(l, item))
		}
		return table
	case map[string]any:
		table := l.NewTable()
		for name, item := range from {
			table.RawSetString(name, value(l, item))
		}
		return table
	default:
		return lua.LNil
	}
}
