package catalogue

import (
	"encoding/json"
	"fmt"
	"path"

	"upkeep"
)

// errorsFile holds what the messages and hints of errors are in the language:
// their formats are English and the keys, so that English has no such file.
const errorsFile = "errors.json"

// readErrors reads the translations of errors, where the language has some.
func readErrors(language Language) (map[string]string, error) {
	translations := map[string]string{}
	if language == English {
		return translations, nil
	}
	raw, err := files.ReadFile(path.Join(string(language), errorsFile))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &translations); err != nil {
		return nil, fmt.Errorf("%s: %w", errorsFile, err)
	}
	return translations, nil
}

// Error returns what err says and its hint, "" for none.
func (t *Texts) Error(err error) (message, hint string) {
	if t.language == English {
		return err.Error(), upkeep.HintOf(err)
	}
	return t.Say(upkeep.TextOf(err)), t.Say(upkeep.HintTextOf(err))
}

// Say returns the text of an error, or a part of one. What has no translation,
// such as the words of a newer peer, stays as it is.
func (t *Texts) Say(text upkeep.Text) string { return text.In(t.translate) }

func (t *Texts) translate(format string) string {
	if translation, ok := t.errors[format]; ok {
		return translation
	}
	return format
}

// textSuffix marks the parameter that says of what an error's text in the
// parameter beside it was made.
const textSuffix = "_text"

// param returns a parameter: where it is an error's text, in the language.
func (t *Texts) param(params map[string]string, name string) (string, bool) {
	if text, ok := upkeep.ParseText(params[name+textSuffix]); ok && text.String() == params[name] {
		return t.Say(text), true
	}
	value, ok := params[name]
	return value, ok
}
