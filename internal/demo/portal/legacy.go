package portal

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep/internal/cms/php"
	"upkeep/internal/demo"
)

// Legacy reports whether an unpacked release is a Joomla 3.
func Legacy(tree string) bool {
	_, err := os.Stat(filepath.Join(tree, "administrator/components/com_joomlaupdate/models/default.php"))
	return err == nil
}

// setting is a line of the configuration that the installer would write.
var setting = regexp.MustCompile(`public \$(\w+)\s*=.*`)

// installLegacy does what the installer of Joomla 3 does, which has no command
// line: tables, an account, the configuration, what each manifest says.
func installLegacy(ctx context.Context, s *demo.Site) error {
	installer := filepath.Join(s.Root, "installation")
	tables, err := os.ReadFile(filepath.Join(installer, "sql/mysql/joomla.sql"))
	if err != nil {
		return err
	}
	level, err := newestSchema(filepath.Join(s.Root, "administrator/components/com_admin/sql/updates/mysql"))
	if err != nil {
		return err
	}
	statements := strings.ReplaceAll(string(tables), "#__", s.Database.Prefix) + strings.NewReplacer("jos_", s.Database.Prefix, "LEVEL", level, "ADMIN", s.User).Replace(`
INSERT INTO jos_schemas VALUES (700, 'LEVEL');
INSERT INTO jos_users (id, name, username, email, password, registerDate, lastvisitDate, params, lastResetTime, otpKey, otep)
	VALUES (42, 'Admin', 'ADMIN', 'admin@example.org', '', NOW(), NOW(), '', NOW(), '', '');
INSERT INTO jos_user_usergroup_map VALUES (42, 8);`)
	if _, err := s.SQL(ctx, statements); err != nil {
		return err
	}
	config, err := os.ReadFile(filepath.Join(installer, "configuration.php-dist"))
	if err != nil {
		return err
	}
	values := map[string]string{
		"sitename": "Portal", "host": "localhost:" + s.Database.Socket, "user": s.Database.User, "password": s.Database.Password, "db": s.Database.Name,
		"dbprefix": s.Database.Prefix, "tmp_path": filepath.Join(s.Root, "tmp"), "log_path": filepath.Join(s.Root, "administrator/logs"), "sef_rewrite": "0",
	}
	text := setting.ReplaceAllStringFunc(string(config), func(line string) string {
		name := setting.FindStringSubmatch(line)[1]
		if value, ours := values[name]; ours {
			return "public $" + name + " = '" + value + "';"
		}
		return line
	})
	if err := s.Write("configuration.php", text); err != nil {
		return err
	}
	if err := os.RemoveAll(installer); err != nil {
		return err
	}
	return legacy(ctx, s, `foreach ($db->setQuery('SELECT extension_id FROM #__extensions')->loadColumn() as $id) {
	$installer = new JInstaller;
	$installer->refreshManifestCache($id);
}`, "")
}

// newestSchema is the level that a folder of changes leads to.
func newestSchema(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	newest := slices.MaxFunc(entries, func(a, b os.DirEntry) int {
		return cmp.Compare(php.CompareVersions(strings.TrimSuffix(a.Name(), ".sql"), strings.TrimSuffix(b.Name(), ".sql")), 0)
	})
	return strings.TrimSuffix(newest.Name(), ".sql"), nil
}

// legacyStart is a Joomla 3 without a visitor.
const legacyStart = `$in = json_decode(stream_get_contents(STDIN), true);
define('_JEXEC', 1); define('JPATH_BASE', $in['root'] . '/administrator');
$_SERVER['HTTP_HOST'] = 'localhost'; $_SERVER['REQUEST_METHOD'] = 'GET'; $_SERVER['REMOTE_ADDR'] = '127.0.0.1';
ob_start();
require JPATH_BASE . '/includes/defines.php'; require JPATH_BASE . '/includes/framework.php';
JFactory::getConfig()->set('session_handler', 'none');
ini_set('session.save_path', $in['root'] . '/tmp');
JFactory::$application = new JApplicationAdministrator(null, new Joomla\Registry\Registry(array('session' => false)));
$db = JFactory::getDbo();
`

// legacyInstall has Joomla 3 install the package in a folder.
const legacyInstall = `$installer = new JInstaller;
if (!$installer->install($in['argument'])) {
	fwrite(STDERR, json_encode(JFactory::getApplication()->getMessageQueue()));
	exit(1);
}`

func legacy(ctx context.Context, s *demo.Site, code, argument string) error {
	input, err := json.Marshal(map[string]string{"root": s.Root, "argument": argument})
	if err != nil {
		return err
	}
	_, err = s.Run(ctx, legacyStart+code, input)
	return err
}
