// Installs WordPress the way its own installer does. One stage per process:
// "install" makes the tables, "network" turns the site into a network, "fill"
// activates extensions and writes content.
$in = json_decode(stream_get_contents(STDIN), true);
$_SERVER['HTTP_HOST'] = $in['host'];
$_SERVER['SERVER_NAME'] = '127.0.0.1';
$_SERVER['REQUEST_URI'] = $in['path'];
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['PHP_SELF'] = $in['path'] . 'index.php';
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';
if ($in['stage'] === 'install') {
	define('WP_INSTALLING', true);
	if (empty($in['fixed'])) {
		define('WP_SITEURL', $in['siteurl']); // or it would guess from the path of this script
	}
	function wp_new_blog_notification() {}
}
if ($in['stage'] === 'network') {
	define('WP_INSTALLING_NETWORK', true);
}
require $in['load'];
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/plugin.php';

if ($in['stage'] === 'install') {
	wp_install($in['title'], $in['user'], 'admin@example.org', true, '', $in['password']);
	update_option('siteurl', $in['siteurl']);
	update_option('home', $in['home']);
	update_option('upload_path', '');
	foreach (['comment_previously_approved' => 0, 'comments_notify' => 0, 'moderation_notify' => 0,
		'timezone_string' => 'Europe/Paris'] as $name => $value) {
		update_option($name, $value);
	}
}

if ($in['stage'] === 'network') {
	require_once ABSPATH . 'wp-admin/includes/network.php';
	foreach ($wpdb->tables('ms_global') as $table => $prefixed) {
		$wpdb->$table = $prefixed;
	}
	install_network();
	$made = populate_network(1, $in['host'], 'admin@example.org', $in['title'], $in['path'], false);
	// A port in the address is a warning to the installer, and fine for us.
	if (is_wp_error($made) && $made->get_error_code() !== 'no_wildcard_dns') {
		fwrite(STDERR, $made->get_error_message());
		exit(1);
	}
}

if ($in['stage'] === 'fill') {
	if (is_multisite()) {
		foreach (['shop', 'blog'] as $name) {
			$id = wp_insert_site(['domain' => $in['host'], 'path' => $in['path'] . $name . '/', 'network_id' => 1, 'user_id' => 1, 'title' => ucfirst($name)]);
			if (is_wp_error($id)) {
				fwrite(STDERR, $id->get_error_message());
				exit(1);
			}
			// Before 6.3 it takes the colon out of an address with a port.
			$wpdb->update($wpdb->blogs, ['domain' => $in['host']], ['blog_id' => $id]);
			foreach (['siteurl', 'home'] as $option) {
				update_blog_option($id, $option, "http://{$in['host']}{$in['path']}$name");
			}
		}
	}
	wp_clean_plugins_cache();
	foreach ($in['plugins'] ?? [] as $plugin) {
		$done = activate_plugin($plugin, '', is_multisite());
		if (is_wp_error($done)) {
			fwrite(STDERR, "$plugin: " . $done->get_error_message());
			exit(1);
		}
	}
	if (!empty($in['theme'])) {
		switch_theme($in['theme']);
	}
	$wp_rewrite->set_permalink_structure('/%year%/%monthnum%/%postname%/');
	flush_rewrite_rules(false);
	wp_set_current_user(1);
	for ($i = 1; $i <= $in['posts']; $i++) {
		$post = wp_insert_post(['post_title' => "Article $i — naïve café №$i", 'post_name' => "article-$i",
			'post_status' => 'publish', 'post_author' => 1, 'comment_status' => 'open', 'post_date' => sprintf('2024-03-%02d 09:00:00', 1 + $i % 28),
			'post_content' => "<!-- wp:paragraph --><p>Paragraph of article $i: " . str_repeat('Lorem ipsum dolor sit amet. ', 20) . '</p><!-- /wp:paragraph -->']);
		for ($c = 1; $c <= $in['comments']; $c++) {
			wp_insert_comment(['comment_post_ID' => $post, 'comment_author' => "Visitor $c", 'comment_author_email' => "v$c@example.org",
				'comment_content' => "Comment $c on article $i 😀", 'comment_approved' => 1]);
		}
	}
	wp_insert_post(['post_type' => 'page', 'post_title' => 'Contact', 'post_name' => 'contact', 'post_status' => 'publish',
		'post_content' => 'Write to us.', 'comment_status' => 'closed']);
	require_once ABSPATH . 'wp-admin/includes/image.php';
	for ($i = 1; $i <= $in['uploads']; $i++) {
		$picture = imagecreatetruecolor(320, 200);
		mt_srand($i);
		for ($n = 0; $n < 40; $n++) {
			imagefilledrectangle($picture, mt_rand(0, 319), mt_rand(0, 199), mt_rand(0, 319), mt_rand(0, 199), mt_rand(0, 0xffffff));
		}
		ob_start();
		imagejpeg($picture);
		$saved = wp_upload_bits("picture-$i.jpg", null, ob_get_clean());
		$id = wp_insert_attachment(['post_title' => "Picture $i", 'post_mime_type' => 'image/jpeg', 'post_status' => 'inherit'], $saved['file']);
		wp_update_attachment_metadata($id, wp_generate_attachment_metadata($id, $saved['file']));
	}
}
echo json_encode(['version' => $wp_version, 'content' => WP_CONTENT_DIR, 'uploads' => wp_upload_dir(null, false)['basedir']]);
