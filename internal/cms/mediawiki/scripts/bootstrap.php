<?php // after prelude.php: loads MediaWiki with everything that is switched on, parses a text and asks the wiki about itself
$argv = $GLOBALS['argv'] = $_SERVER['argv'] = array('upkeep');
$argc = $GLOBALS['argc'] = $_SERVER['argc'] = 1;
Upkeep::$step = 'maintenance/Maintenance.php';
require_once $upkeep_in['root'] . '/maintenance/Maintenance.php';

class UpkeepBootstrap extends Maintenance {
	public function execute() {
		try {
			Upkeep::$step = 'extensions';
			foreach (ExtensionRegistry::getInstance()->getAllThings() as $name => $thing) {
				Upkeep::$extensions[$name] = isset($thing['path']) ? (string) $thing['path'] : '';
			}
			Upkeep::$step = 'siteinfo';
			$context = new DerivativeContext(RequestContext::getMain());
			$context->setRequest(new FauxRequest(array('action' => 'query', 'meta' => 'siteinfo', 'siprop' => 'general|extensions')));
			$api = new ApiMain($context);
			$api->execute();
			$info = $api->getResult()->getResultData(array('query', 'general'));
			Upkeep::$version = substr($info['generator'], strlen('MediaWiki '));
			Upkeep::$step = 'parser';
			$parsed = $context->getOutput();
			$parsed->setTitle(Title::makeTitle(NS_SPECIAL, 'Upkeep'));
			if (strpos($parsed->parseAsContent("== Upkeep ==\n* '''list''' [[Main Page]]"), 'Upkeep') === false) {
				Upkeep::$said = 'the parser returns nothing';
				return;
			}
			Upkeep::$step = 'loaded';
			Upkeep::done();
		} catch (Throwable $e) {
			Upkeep::$said = get_class($e) . ': ' . substr(strtok($e->getMessage(), "\n"), 0, 1000) . ' in ' . basename($e->getFile()) . ', at ' . Upkeep::$step;
			Upkeep::$file = $e->getFile();
		}
	}
}
Upkeep::$step = 'includes/Setup.php';
$maintClass = 'UpkeepBootstrap';
require RUN_MAINTENANCE_IF_MAIN;
