"""Results of the metafiles as tables, for the READMEs and the site.

    python scripts/model_zoo.py   # writes them into the READMEs

A number stands in a metafile only. In a README the table below such a comment
is written by this script, a line for each row; what follows a comma in a row
is the ``Setting`` of the result::

    <!-- results: {}_resnet20_40e_cifar10-jpeg-lt-if100
    ce
    logit-adjusted, tau 1.5
    -->
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
MARKED = re.compile(
    r'(<!-- results: (?P<pattern>\S+)\n(?P<rows>(?:.+\n)*?)-->\n)(\|.*\n)*'
)


def read_families(root: Path = ROOT) -> dict[str, dict]:
    """Content of each metafile, by the folder of the family."""
    index = yaml.safe_load((root / 'model-index.yml').read_text())
    return {
        str(Path(name).parent): yaml.safe_load((root / name).read_text())
        for name in index['Import']
    }


def read_results(families: dict[str, dict]) -> dict[tuple[str, str], dict]:
    """Results by the name of the config and the setting, mostly ''."""
    return {
        (model['Name'], result.get('Setting', '')): result
        for family in families.values()
        for model in family['Models']
        for result in model.get('Results', [])
    }


def cell(result: dict, metric: str) -> str:
    """Mean and, of several seeds, standard deviation."""
    if metric not in result['Metrics']:
        return ''
    text = f'{result["Metrics"][metric]:.1f}'
    spread = result.get('SD', {}).get(metric)
    return text if spread is None else f'{text} +- {spread:.1f}'


def markdown(lines: list[list[str]]) -> str:
    head, *body = (f'| {" | ".join(line)} |\n' for line in lines)
    return head + '|-' * len(lines[0]) + '|\n' + ''.join(body)


def table(pattern: str, rows: str, results: dict) -> str:
    """The Markdown table of one comment."""
    found = {}
    for row in rows.splitlines():
        name, _, setting = row.partition(', ')
        key = (pattern.format(name), setting)
        if key not in results:
            raise ValueError(f'results: no metafile has one of {key}')
        label = f'`{name}`, {setting}' if setting else f'`{name}`'
        found[label] = results[key]
    metrics = dict.fromkeys(m for r in found.values() for m in r['Metrics'])
    counts = [r.get('Seeds', '') for r in found.values()]
    several = len({*counts} - {''}) > 1
    head = f', `{pattern.format("...")}`' if pattern != '{}' else ''
    lines = [[f'Config{head}', *['Seeds'] * several, *metrics]]
    for label, result in found.items():
        seeds = [str(result.get('Seeds', ''))] * several
        lines.append([label, *seeds, *(cell(result, m) for m in metrics)])
    return markdown(lines)


def fill(text: str, results: dict) -> str:
    """The text of a README with the tables of its comments."""
    return MARKED.sub(
        lambda m: m[1] + table(m['pattern'], m['rows'], results), text
    )


def page(families: dict[str, dict]) -> Iterator[str]:
    """The page of the site, paragraph by paragraph."""
    yield '# Model zoo\n'
    yield (
        'Every config, and what we have measured with it: mean and, of '
        'several seeds, standard deviation in percent. Numbers of the papers '
        'stand in the pages of the methods.\n'
    )
    for folder, family in families.items():
        title = family['Collections'][0]['Name']
        yield f'## [{title}](../{folder}/README.md)\n'
        lines, without = [], []
        for model in family['Models']:
            name = f'`{model["Name"]}`'
            for result in model.get('Results', []):
                numbers = ', '.join(
                    f'{metric} {cell(result, metric)}'
                    for metric in result['Metrics']
                )
                setting = result.get('Setting', '')
                lines.append(
                    [
                        f'{name}, {setting}' if setting else name,
                        result['Dataset'],
                        str(result.get('Seeds', '')),
                        numbers,
                    ]
                )
            if 'Results' not in model:
                without.append(name)
        if lines:
            yield markdown([['Config', 'Data', 'Seeds', 'Results'], *lines])
        if without:
            yield f'Not run by us to the end: {", ".join(without)}.\n'


def main() -> None:
    families = read_families()
    results = read_results(families)
    for folder in families:
        path = ROOT / folder / 'README.md'
        text = path.read_text()
        filled = fill(text, results)
        if filled != text:
            path.write_text(filled)
            print(f'{folder}/README.md')


if __name__ == '__main__':
    main()
