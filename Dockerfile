# SPDX-License-Identifier: Apache-2.0
FROM python:3.12-slim

# the user id stands in docker-compose.yml too: FreeSWITCH writes recordings under the same one
RUN useradd --uid 10001 --home-dir /var/lib/vats --create-home vats \
 && install -d -o vats -g vats /var/lib/vats/media /var/lib/vats/switch

WORKDIR /opt/vats
COPY . .
RUN pip install --no-cache-dir --editable .

USER vats
ENV PYTHONUNBUFFERED=1 VATS_CORE__STATE=/var/lib/vats
EXPOSE 8080
CMD ["vats", "run", "--roles", "engine,web,bot,jobs"]
