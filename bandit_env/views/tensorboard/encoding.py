"""Values as TensorBoard's events: scalars, histograms, text, images and the hparams page.

Written with the `tensorboard` package alone, which is loaded when the first event is made.
"""

import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bandit_env.views import series
from bandit_env.views.tensorboard import hparams, tags

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary


BUCKETS = 30  # of a histogram


def scalars(step: int, values: Mapping[str, float], now: float) -> "Event":
    """Values at a step, by tag; `now` is in seconds since 1970."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    summary = Summary()
    for tag, value in values.items():
        summary.value.add(tag=tag, simple_value=value)
    return event(step, summary, now)


def event(step: int, summary: "Summary", now: float) -> "Event":
    """An event that holds a summary."""
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(step=step, wall_time=now, summary=summary)


def histogram(tag: str, values: series.Floats) -> "Summary":
    """A histogram, counted here: `histogram_pb` needs memory in proportion to the rows."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.histogram import metadata
    from tensorboard.util import tensor_util

    # of equal values, as TensorBoard wants it: buckets of no width, of which the last holds everything
    edges = series.edges(float(values.min()), float(values.max()), BUCKETS)
    counts = series.histogram(values, edges)
    tensor = tensor_util.make_tensor_proto(np.stack([edges[:-1], edges[1:], counts], axis=1), dtype=np.float64)
    summary = Summary()
    summary.value.add(tag=tag, tensor=tensor, metadata=metadata.create_summary_metadata(None, tags.description(tag)))
    return summary


def text(tag: str, markdown: str) -> "Summary":
    """A page of text."""
    from tensorboard.plugins.text import summary_v2

    return summary_v2.text_pb(tag, markdown, description=tags.description(tag))


def image(tag: str, png: bytes) -> "Summary":
    """A picture, from the bytes of a PNG file."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.image import metadata
    from tensorboard.util import tensor_util

    width, height = struct.unpack(">II", png[16:24])  # of the header chunk, PNG specification 11.2.2
    tensor = tensor_util.make_tensor_proto([str(width).encode(), str(height).encode(), png], dtype=np.object_)
    summary = Summary()
    summary.value.add(tag=tag, tensor=tensor, metadata=metadata.create_summary_metadata(None, None))
    return summary


def session(name: str, parameters: Mapping[str, bool | float | str]) -> list["Summary"]:
    """A row of the hparams page, from its beginning to its end. (`plugins.hparams.summary` needs TensorFlow.)"""
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2

    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=time.time())
    return [
        summary_v2.hparams_pb(dict(parameters), trial_id=name),
        _hparams(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end)),
    ]


def hparams_page(cells: Sequence[Mapping[str, bool | float | str]], written: set[str]) -> "Summary":
    """Which columns the hparams page has, and in which order; without it, every curve would become one.

    Args:
        cells: the rows, all with the same names.
        written: the metrics.
    """
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    names = list(cells[0])
    infos = []
    for name in names:
        values = [cell[name] for cell in cells]
        info = api_pb2.HParamInfo(name=name, differs=name == "run" or hparams.differs(cells, name))
        if all(isinstance(value, bool) for value in values):
            info.type = api_pb2.DATA_TYPE_BOOL
        elif all(isinstance(value, float) for value in values):
            info.type = api_pb2.DATA_TYPE_FLOAT64
        else:
            info.type = api_pb2.DATA_TYPE_STRING
        infos.append(info)
    metrics = [
        api_pb2.MetricInfo(
            name=api_pb2.MetricName(tag=tag.name),
            display_name=f"{tag.name.removeprefix('final/').replace('_', ' ')} ({tag.unit})",
            description=tag.formula,
        )
        for tag in tags.FINAL_TAGS
        if tag.name in written
    ]
    page = api_pb2.Experiment(hparam_infos=infos, metric_infos=metrics, time_created_secs=time.time())
    return _hparams(metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=page))


def _hparams(tag: str, content: Any) -> "Summary":
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata

    summary = Summary()
    summary.value.add(tag=tag, metadata=metadata.create_summary_metadata(content), tensor=metadata.NULL_TENSOR)
    return summary


def describe(events: Iterable["Event"]) -> None:
    """Give each scalar's first value the description that TensorBoard shows beside its chart."""
    from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_SCALAR

    seen = set()
    for event in events:
        for value in event.summary.value:
            if value.HasField("simple_value") and value.tag not in seen:
                seen.add(value.tag)
                value.metadata.summary_description = tags.description(value.tag)
                value.metadata.plugin_data.plugin_name = "scalars"
                value.metadata.data_class = DATA_CLASS_SCALAR  # or the data server drops the description
