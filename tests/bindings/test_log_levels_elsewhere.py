"""Loggers that are not the standard library's: what follows, and what cannot."""

from __future__ import annotations

import asyncio
import logging

import anyio
import pytest

from reactive_config import Memory, open_config
from reactive_config.bindings import log_levels, loguru_filter, structlog_processor

HERE = __name__


async def follow(memory, levels, tree):
    before = levels.changes
    await memory.replace(tree)
    with anyio.fail_after(5):
        while levels.changes == before:
            await asyncio.sleep(0)


@pytest.fixture
def loguru_logger():
    logger = pytest.importorskip("loguru").logger
    logger.remove()
    yield logger
    logger.remove()
    logger.enable("")


@pytest.fixture
def structlog():
    module = pytest.importorskip("structlog")
    yield module
    module.reset_defaults()


async def test_a_loguru_handler_with_the_filter_follows_and_another_one_is_untouched(loguru_logger):
    ours, theirs = [], []
    memory = Memory({HERE: "INFO"})
    loguru_logger.add(lambda text: theirs.append(text.strip()), level="WARNING", format="{message}")
    async with open_config(dict, memory) as config, log_levels(config.select(lambda c: c)) as levels:
        loguru_logger.add(
            lambda text: ours.append(text.strip()), level=0, format="{message}", filter=loguru_filter(levels)
        )
        loguru_logger.debug("1")
        loguru_logger.info("2")
        await follow(memory, levels, {HERE: "DEBUG"})
        loguru_logger.debug("3")
        await follow(memory, levels, {HERE: "ERROR"})
        loguru_logger.warning("4")
    loguru_logger.debug("5")
    assert (ours, theirs) == (["2", "3", "5"], ["4"])


async def test_structlog_over_the_standard_library_follows_by_itself(structlog, caplog):
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.processors.KeyValueRenderer()],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    logger = structlog.get_logger("rc_test.structlog")
    logger.debug("unseen")  # and is cached from here on
    memory = Memory({"rc_test.structlog": "DEBUG"})
    async with open_config(dict, memory) as config, log_levels(config.select(lambda c: c)) as levels:
        logger.debug("one")
        await follow(memory, levels, {"rc_test.structlog": "ERROR"})
        logger.warning("unseen")
        logger.error("two")
    assert [record.message for record in caplog.records] == ["event='one'", "event='two'"]


async def test_a_native_structlog_logger_follows_through_the_processor(structlog):
    seen = []
    memory = Memory({"root": "WARNING", "x": "DEBUG"})
    before = logging.getLogger().level
    async with open_config(dict, memory) as config, log_levels(config.select(lambda c: c)) as levels:

        def last(_logger, _method, event):
            seen.append(event["event"])
            raise structlog.DropEvent

        structlog.configure(
            processors=[structlog_processor(levels), last],
            wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
            cache_logger_on_first_use=True,
        )
        logger = structlog.get_logger()
        named = logger.bind(logger="x.y")
        logger.info("1")
        logger.msg("unseen")
        logger.exception("2")  # noqa: LOG004 - its level is that of an error
        named.debug("3")
        await follow(memory, levels, {"root": "DEBUG", "x": "ERROR"})
        logger.debug("4")
        named.warning("5")
    named.debug("6")
    assert seen == ["2", "3", "4", "6"]
    assert logging.getLogger().level == before


def test_a_native_structlog_class_keeps_the_level_it_was_made_for(structlog):
    """Why a processor is needed: no level of the standard library reaches it, and setting another is not possible."""
    logger = structlog.wrap_logger(
        logging.getLogger("rc_test.native"), wrapper_class=structlog.make_filtering_bound_logger(logging.INFO)
    )
    logging.getLogger("rc_test.native").setLevel(logging.DEBUG)
    try:
        assert not logger.is_enabled_for(logging.DEBUG)
        assert logger.get_effective_level() == logging.INFO
    finally:
        logging.getLogger("rc_test.native").setLevel(logging.NOTSET)


def test_what_loguru_offers_for_a_module_is_all_or_nothing(loguru_logger):
    """Why a filter is needed: whoever disables a module loses its errors too, whatever the handlers' levels."""
    seen = []
    loguru_logger.add(lambda text: seen.append(text.strip()), level="WARNING", format="{message}")
    loguru_logger.disable(HERE)
    loguru_logger.critical("lost")
    loguru_logger.enable(HERE)
    loguru_logger.debug("refused by the handler, as before")
    loguru_logger.critical("seen")
    assert seen == ["seen"]
