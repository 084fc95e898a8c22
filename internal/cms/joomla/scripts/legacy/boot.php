
// Joomla 3 has no command line that could do it: its administrator stands in,
// without a visitor and with a session that nobody keeps.
function upkeep_boot() {
	class JSessionStorageUpkeep extends JSessionStorage {
		public function read($id) {
			return ''; // the class above gives nothing at all, which PHP 8 takes for a failure
		}
	}
	class UpkeepAdministrator extends JApplicationAdministrator {
		public function prepare() {
			$this->config = JFactory::getConfig();
			$this->loadLanguage(JLanguage::getInstance($this->get('language'), $this->get('debug_lang')));
			JFactory::$language = $this->getLanguage();
			$this->loadLibraryLanguage();
		}
	}
	JError::setErrorHandling(E_ERROR, 'callback', array('UpkeepErrors', 'end'));
	JFactory::getConfig()->set('session_handler', 'upkeep');
	$app = new UpkeepAdministrator(null, new \Joomla\Registry\Registry(array('session' => false)));
	JFactory::$application = $app;
	$app->prepare();
	Upkeep::$step = 'plugins';
	JPluginHelper::importPlugin('system');
	call_user_func(Upkeep::$work, $app);
}

// UpkeepErrors hears what Joomla would make a page of.
final class UpkeepErrors {
	public static function end($error) {
		Upkeep::$said[] = $error->getMessage();
		exit(1);
	}
}

$_SERVER['HTTP_HOST']       = 'localhost';
$_SERVER['REMOTE_ADDR']     = '127.0.0.1';
$_SERVER['REQUEST_METHOD']  = 'GET';
$_SERVER['REQUEST_URI']     = '/administrator/index.php';
$_SERVER['SCRIPT_NAME']     = $_SERVER['PHP_SELF'] = '/administrator/index.php';
$_SERVER['HTTP_USER_AGENT'] = 'Upkeep';
if (is_file(Upkeep::$in['root'] . '/administrator/defines.php')) {
	require_once Upkeep::$in['root'] . '/administrator/defines.php';
}
if (!defined('_JDEFINES')) {
	define('JPATH_BASE', Upkeep::$in['root'] . '/administrator');
	require_once JPATH_BASE . '/includes/defines.php';
}
require_once JPATH_BASE . '/includes/framework.php';
require_once JPATH_BASE . '/includes/helper.php';
