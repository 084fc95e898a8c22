<?php
namespace Joomla\CMS;

final class Version {
	public const MAJOR_VERSION = MAJOR;
	public const MINOR_VERSION = MINOR;
	public const PATCH_VERSION = PATCH;
	public const EXTRA_VERSION = '';
}
