"""The site. Its source is the whole repository, so that a README is a page."""

import sys
from pathlib import Path

from mmlt.version import __version__

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / 'scripts'))

import model_zoo  # noqa: E402

zoo = model_zoo.page(model_zoo.read_families())
(ROOT / 'docs' / 'model_zoo.md').write_text('\n'.join(zoo))

project = 'mmlt'
release = __version__
copyright = 'mmlt contributors'
extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
]
root_doc = 'docs/index'
include_patterns = [
    'docs/**.md',
    'configs/*/README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
]
exclude_patterns = ['.*', 'build', 'data', 'work_dirs', 'mmlt', 'tests']

myst_enable_extensions = ['colon_fence']
myst_heading_anchors = 4

autodoc_default_options = {'members': True, 'imported-members': True}
autodoc_typehints = 'none'
napoleon_google_docstring = True
napoleon_numpy_docstring = False

templates_path = ['_templates']
html_theme = 'furo'
html_title = f'mmlt {release}'
html_additional_pages = {'index': 'to_index.html'}
