"""report.html in the browser: sorted, folded, printed, dark and narrow; hostile names stay text."""

import pytest
from run_folders import HEADS, HOSTILE, written

from sigfft.training.page import write_page


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    long = "w" * 150, "dft k=6"
    runs = [written(folder / "one"), written(folder / "two", heads=long, seed=2), written(folder / "3", finished=False)]
    write_page(runs, folder / "page.html")
    return (folder / "page.html").as_uri()


def first_column(page):
    return page.locator("#heads tbody th").all_inner_texts()


def test_tables_sort_by_numbers_and_texts_and_what_is_absent_comes_last(page, address):
    page.goto(address)
    heads = first_column(page)
    assert len(heads) == 6
    button = page.get_by_role("button", name="parameters", exact=True)
    title = page.locator("#heads th", has=button)
    button.click()
    assert title.get_attribute("aria-sort") == "descending"
    values = page.locator("#heads tbody tr td:nth-child(2)").all_inner_texts()
    assert values == ["800", "800", "200", "200", "–", "–"]
    button.focus()
    page.keyboard.press("Enter")
    assert title.get_attribute("aria-sort") == "ascending"
    assert page.locator("#heads tbody tr td:nth-child(2)").all_inner_texts() == ["200", "200", "800", "800", "–", "–"]
    page.locator("#heads thead button").first.click()
    assert first_column(page) == sorted(heads, key=str.strip)
    assert title.get_attribute("aria-sort") is None


def test_hostile_names_stay_text(page, address):
    page.goto(address)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img, script[src], i").count() == 0
    assert page.locator("#impossible").get_by_text(f"{HOSTILE} (0)").count() > 0
    assert page.locator("h3", has_text=HEADS[0]).count() > 0


def test_light_dark_and_paper_differ_and_paper_unfolds(page, address):
    def colours():
        of = "element => [getComputedStyle(element).backgroundColor, getComputedStyle(element).color]"
        line = "getComputedStyle(document.querySelector('polyline')).stroke"
        return [*page.locator("body").evaluate(of), page.evaluate(line)]

    page.emulate_media(color_scheme="light")
    page.goto(address)
    light = colours()
    page.emulate_media(color_scheme="dark")
    dark = colours()
    assert all(here != there for here, there in zip(light, dark, strict=True))
    page.emulate_media(media="print", color_scheme="dark")
    paper, ink, _ = colours()
    assert (paper, ink) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)")
    assert page.locator("nav").is_hidden()
    folded = page.locator("details:not([open])")
    before = folded.count()
    assert before > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert folded.count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert folded.count() == before
    assert page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_width_scrolls_the_page_and_no_text_of_a_chart_is_cut(page, address, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    outside = """() => [...document.querySelectorAll("svg.chart")].flatMap((chart) => {
        const frame = chart.getBoundingClientRect();
        return [...chart.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()])
            .filter(([_, box]) => box.left < frame.left || box.right > frame.right || box.bottom > frame.bottom + 1)
            .map(([text]) => text);
    })"""
    assert page.evaluate(outside) == []
    assert page.locator("svg.chart").count() >= 3
