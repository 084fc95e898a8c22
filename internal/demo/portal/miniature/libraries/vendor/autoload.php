<?php
namespace Symfony\Component\Console\Input {
	interface InputInterface {}
	class NoInput implements InputInterface {}
}

namespace Symfony\Component\Console\Output {
	interface OutputInterface {}
	class NoOutput implements OutputInterface {}
}

namespace Joomla\Console\Command {
	abstract class AbstractCommand {
		private $app;

		public function getApplication() {
			return $this->app;
		}

		public function execute($app) {
			$this->app = $app;
			return $this->doExecute(new \Symfony\Component\Console\Input\NoInput(), new \Symfony\Component\Console\Output\NoOutput());
		}

		abstract protected function doExecute(\Symfony\Component\Console\Input\InputInterface $input, \Symfony\Component\Console\Output\OutputInterface $output): int;
	}
}

namespace Joomla\Console {
	class Application extends \Joomla\CMS\Application {
		private $commands = array();

		public function addCommand($command) {
			$this->commands[] = $command;
		}

		public function execute() {
			$this->plugins();
			foreach ($this->commands as $command) {
				$command->execute($this);
			}
		}

		public function bootComponent($name) {
			return $this;
		}

		public function bootPlugin($name, $group) {
			require_once JPATH_ROOT . "/plugins/$group/$name/$name.php";
		}

		public function getMVCFactory() {
			return $this;
		}

		public function createModel() {
			require_once JPATH_ADMINISTRATOR . '/components/com_joomlaupdate/src/Model/UpdateModel.php';
			return new \Joomla\Component\Joomlaupdate\Administrator\Model\UpdateModel();
		}

		public function getLanguage() {
			return $this;
		}

		public function load() {
			return true;
		}
	}
}

namespace Joomla\CMS\Plugin {
	class CMSPlugin {}
}

namespace Joomla\CMS\Cache {
	class Cache {
		public static function getInstance() {
			return new self();
		}

		public function clean() {
			return true;
		}
	}
}

namespace Joomla\CMS {
	class Container {
		public function alias() {
			return $this;
		}

		public function get($name) {
			return $name === 'DatabaseDriver' ? Factory::getDbo() : new \Joomla\Console\Application();
		}
	}

	class Application {
		private $body = '';

		public function plugins() {
			$found = array();
			foreach (Factory::getDbo()->setQuery("SELECT * FROM #__extensions WHERE type = 'plugin' AND folder = 'system' AND enabled = 1")->loadObjectList() as $plugin) {
				require_once JPATH_ROOT . "/plugins/system/$plugin->element/$plugin->element.php";
				$class   = 'PlgSystem' . $plugin->element;
				$found[] = new $class();
			}
			return $found;
		}

		public function get($name, $otherwise = null) {
			$config = new \JConfig();
			return isset($config->$name) ? $config->$name : $otherwise;
		}

		public function getMessageQueue() {
			return array();
		}

		public function isClient($name) {
			return $this instanceof Site && $name === basename(JPATH_BASE) || $name === 'site' && basename(JPATH_BASE) !== 'administrator';
		}

		public function getBody() {
			return $this->body;
		}

		public function setBody($body) {
			$this->body = $body;
		}
	}

	class Site extends Application {
		public function show() {
			Factory::$application = $this;
			$menu = '';
			foreach (Factory::getDbo()->setQuery('SELECT * FROM #__menu ORDER BY id')->loadObjectList() as $item) {
				$menu .= '<li>' . htmlspecialchars($item->title) . '</li>';
			}
			$form = strpos($_SERVER['REQUEST_URI'], 'users') ? '<input type="password" name="password">' : '';
			$this->setBody("<!DOCTYPE html><html><head><title>Portal</title><script class=\"joomla-script-options\"></script></head><body><ul>$menu</ul>$form</body></html>");
			foreach ($this->plugins() as $plugin) {
				$plugin->onAfterRender();
			}
			echo $this->getBody();
		}
	}

	class Database {
		private $link;
		private $prefix;
		private $query;

		public function __construct($config) {
			list(, $socket) = explode(':', $config->host, 2);
			mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
			$this->link   = new \mysqli('localhost', $config->user, $config->password, $config->db, 0, $socket);
			$this->prefix = $config->dbprefix;
			$this->link->set_charset('utf8mb4');
		}

		public function setQuery($query) {
			$this->query = str_replace('#__', $this->prefix, $query);
			return $this;
		}

		public function execute() {
			return $this->link->query($this->query);
		}

		public function script($text) {
			foreach (array_filter(array_map('trim', explode(';', preg_replace('/^(#|--).*$/m', '', $text)))) as $statement) {
				$this->setQuery($statement)->execute();
			}
		}

		public function loadObjectList() {
			$rows   = array();
			$result = $this->execute();
			while ($row = $result->fetch_object()) {
				$rows[] = $row;
			}
			return $rows;
		}

		public function loadResult() {
			$row = $this->execute()->fetch_row();
			return $row ? $row[0] : null;
		}

		public function insertid() {
			return $this->link->insert_id;
		}

		public function quote($text) {
			return "'" . $this->link->real_escape_string($text) . "'";
		}

		public function quoteName($name) {
			return "`$name`";
		}
	}
}

namespace {
	foreach (array('Version', 'Factory', 'Installer/Installer') as $name) {
		require_once JPATH_ROOT . "/libraries/src/$name.php";
	}
	define('JVERSION', Joomla\CMS\Version::MAJOR_VERSION . '.' . Joomla\CMS\Version::MINOR_VERSION . '.' . Joomla\CMS\Version::PATCH_VERSION);
}
