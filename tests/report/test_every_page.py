import re
import struct

from page_reading import LARGEST_QZV


def test_nothing_is_loaded_from_elsewhere(page):
    assert page.loads
    for address in page.loads:
        assert address.startswith("./"), address
        assert (page.folder / address).is_file(), address
    for style in page.folder.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?\s*(https?:)?//", style.read_text())
    script = (page.folder / "report.js").read_text()
    assert "http" not in script
    assert "$schema" not in page.source


def test_every_download_exists_and_no_link_leads_out(page):
    for link in page.links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in page.source, link
        elif link != "http://qiime2.org/":  # the logo of q2templates
            assert (page.folder / link).is_file(), link


def test_pictures_are_what_their_names_say(page):
    pictures = sorted((page.folder / "downloads").glob("*.svg"))
    assert pictures
    for picture in pictures:
        assert picture.read_text(encoding="utf-8").startswith("<svg")
        content = picture.with_suffix(".png").read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">I", content[16:20])[0] > 1000  # pixels: fit for print


def test_the_script_is_there_once_and_the_page_is_small(page):
    assert len(list(page.folder.rglob("vega*.js"))) == 1
    assert page.archive_size() < LARGEST_QZV


def test_every_figure_says_how_to_read_it(page):
    figures = page.tags.count("figure")
    assert figures >= (1 if "learning rate" in str(page.folder) else 5)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page.source, re.S)
    assert len(captions) == figures
    assert all(len(caption) > 30 for caption in captions)


def test_a_browser_without_network_draws_every_chart(page):
    document = page.drawn_in_browser
    charts = re.findall(r'<div class="aam-chart[^>]*>', document)
    assert len(charts) == page.tags.count("figure")
    assert all('data-drawn="yes"' in chart for chart in charts)
    assert "<title>hacked" not in document
