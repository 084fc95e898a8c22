
// Loads a Drupal 8 or later as its update.php does.
use Drupal\Core\Update\UpdateKernel;
use Symfony\Component\HttpFoundation\Request;

function upkeep_boot($in, $class) {
	Upkeep::$step = 'autoload.php';
	$loader  = require $in['root'] . '/autoload.php';
	$request = Request::create(($in['https'] ? 'https://' : 'http://') . $in['host'] . '/index.php', 'GET', array(), array(), array(), array_filter($_SERVER, 'is_scalar'));
	Upkeep::$step = 'kernel';
	$kernel = $class::createFromRequest($request, $loader, 'prod', false, $in['root']);
	$kernel->boot();
	Upkeep::$answer['site'] = $kernel->getSitePath();
	Upkeep::$step = 'bootstrap';
	$kernel->preHandle($request);
	if (!$request->attributes->has('_route')) {
		// Code that runs here may ask which page it is on.
		$request->attributes->set('_route', '<none>');
		$request->attributes->set('_route_object', new Symfony\Component\Routing\Route('<none>'));
	}
	return $kernel;
}
